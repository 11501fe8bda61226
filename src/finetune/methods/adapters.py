"""Adapters of PEFT: attach, save and load them, with checks of their tensors."""

import warnings
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.errors import ModelError, is_out_of_memory, squeezed
from finetune.core.files import mode, read_json, write_json
from finetune.core.schema import Method, Model
from finetune.modeling import base as base_model
from finetune.modeling import integrity, precision
from finetune.modeling.base import Base

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
# What the libraries raise for an adapter that is damaged, or not one of this model.
LOADING_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
# What PEFT raises for a config that does not fit a model.
CONFIG_ERRORS = (ValueError, TypeError, KeyError, AttributeError, NotImplementedError)


def attach(model: PreTrainedModel, config: PeftConfig, key: str) -> PeftModel:
    """The model with a new adapter attached and its own weights frozen.

    The adapter is initialized by torch's global random generator. `key` is the parameter that is to
    blame where it does not fit.

    Raises:
        ModelError: the adapter does not fit the model.
    """
    dtype = model.dtype
    try:
        attached = get_peft_model(model, config)
    except CONFIG_ERRORS as error:
        raise ModelError(f"{key}: does not fit this model: {squeezed(error)}") from error
    _check_untied(attached, key)
    precision.disable_input_cast(attached, dtype)
    return attached


def save(model: PeftModel, folder: Path, tokenizer: PreTrainedTokenizerBase | None = None) -> None:
    """Write the adapter to a folder, and check that the file's tensors are bitwise those in memory.

    Raises:
        ModelError: they are not.
    """
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form for a model card
    config = read_json(folder / CONFIG)
    if isinstance(config.get("target_modules"), list):
        # PEFT keeps a set, whose order differs between processes: the file's hash would, too.
        config["target_modules"].sort()
    base = config["base_model_name_or_path"] or ""
    # An absolute path would name a user's folders; `load` is given the model, and ignores it.
    config["base_model_name_or_path"] = Path(base).name if Path(base).is_absolute() else base
    write_json(folder / CONFIG, config)
    for file in folder.iterdir():
        file.chmod(mode())  # safetensors writes files that only their owner can read
    saved = load_file(folder / WEIGHTS)
    trained = _adapter_tensors(model)
    if saved.keys() != trained.keys():
        raise ModelError(f"{folder}: the saved adapter has other tensors than the trained one")
    for name, tensor in trained.items():
        if not torch.equal(saved[name], tensor.cpu()):
            raise ModelError(f"{folder}: {name} differs from the trained adapter; disk full?")


def load(model: PreTrainedModel, folder: Path) -> PeftModel:
    """The base with a saved adapter attached, in evaluation mode.

    Raises:
        ModelError: the folder holds no adapter, or one that does not fit the base.
    """
    for file in (WEIGHTS, CONFIG):  # where they are missing, PEFT looks for the folder on the hub
        if not (folder / file).is_file():
            raise ModelError(f"{folder}: holds no adapter ({file}); run `dvc repro` to train one")
    dtype = model.dtype
    try:
        saved = load_file(folder / WEIGHTS)
        with warnings.catch_warnings():  # about mismatched tensors, which are an error below
            warnings.simplefilter("ignore", UserWarning)
            loaded = PeftModel.from_pretrained(model, str(folder))
    except LOADING_ERRORS as error:
        if is_out_of_memory(error):
            raise
        raise ModelError(
            f"{folder}: the adapter does not fit the model: {squeezed(error)}"
        ) from error
    integrity.check_adapter(str(folder), saved, _adapter_tensors(loaded))
    _check_untied(loaded, str(folder))
    precision.disable_input_cast(loaded, dtype)
    return loaded.eval()


def load_on_base(options: Model, method: Method, folder: Path) -> Base:
    """The base with the folder's adapter attached, for inference.

    Raises:
        ModelError: the base cannot be loaded, or the adapter does not fit it.
    """
    base = base_model.load(options, method, for_inference=True)
    return base.with_model(load(base.model, folder))


def _check_untied(model: PeftModel, where: str) -> None:
    """Refuse an adapter that cannot be merged: what it adds to one layer, another would have too.

    Raises:
        ModelError: it adapts input embeddings or an output layer, and these share their weights.
    """
    ends = model.get_input_embeddings(), model.get_output_embeddings()
    adapted = any(isinstance(end, BaseTunerLayer) for end in ends)
    if adapted and ends[0].weight is ends[1].weight:
        raise ModelError(
            f"{where}: names the input embeddings or the output layer, which share their weights "
            "in this model: merging into one would change the other; leave them out"
        )


def _adapter_tensors(model: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's tensors by name."""
    # Embeddings are never trained; to find out, PEFT would send a request to the hub.
    return get_peft_model_state_dict(model, save_embedding_layers=False)
