"""Attach a LoRA adapter to a base model, load one, and save one so that it is what was trained."""

import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel

from finetune.core.errors import ModelError, is_out_of_memory, squeezed
from finetune.core.files import mode, read_json, write_json
from finetune.core.schema import Lora
from finetune.modeling import integrity, precision

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
# What the libraries raise for an adapter that is damaged, or not one of this model.
LOADING = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)


def attach(model: PreTrainedModel, options: Lora) -> PeftModel:
    """A new adapter, its first weights drawn from torch's current seed; the base is frozen."""
    config = LoraConfig(
        r=options.r,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=options.target_modules,
        bias="none",
        task_type="CAUSAL_LM",
    )
    dtype = model.dtype
    try:
        attached = get_peft_model(model, config)
    except ValueError as error:
        said = " ".join(str(error).split())
        raise ModelError(f"lora.target_modules: do not fit this model: {said[:300]}") from error
    precision.keep_input_types(attached, dtype)
    return attached


def save(model: PeftModel, folder: Path) -> None:
    """Write the adapter, and read it back to see that every tensor is as it was in memory.

    Raises:
        ModelError: what stands on disk is not what was trained.
    """
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form for a model card
    config = read_json(folder / CONFIG)
    if isinstance(config["target_modules"], list):
        # A set in PEFT, in another order in every process: one adapter would have many hashes.
        config["target_modules"].sort()
    base = config["base_model_name_or_path"]
    # A folder outside says who trained here; `load` is told which model it is.
    config["base_model_name_or_path"] = Path(base).name if Path(base).is_absolute() else base
    write_json(folder / CONFIG, config)
    for file in folder.iterdir():
        file.chmod(mode())  # safetensors lets none but its user read what it writes
    saved = load_file(folder / WEIGHTS)
    trained = _tensors(model)
    if saved.keys() != trained.keys():
        raise ModelError(f"{folder}: the saved adapter has other tensors than the trained one")
    for name, tensor in trained.items():
        if not torch.equal(saved[name], tensor.cpu()):
            raise ModelError(f"{folder}: {name} differs from the trained adapter; disk full?")


def load(model: PreTrainedModel, folder: Path) -> PeftModel:
    """The base with a saved adapter on, in evaluation mode.

    Raises:
        ModelError: the folder holds no adapter, or one that does not fit the base.
    """
    for file in (WEIGHTS, CONFIG):  # PEFT would ask the hub for a repository of the folder's name
        if not (folder / file).is_file():
            raise ModelError(f"{folder}: holds no adapter ({file}); run `dvc repro` to train one")
    dtype = model.dtype
    try:
        saved = load_file(folder / WEIGHTS)
        with warnings.catch_warnings():  # of tensors that do not match: refused below
            warnings.simplefilter("ignore", UserWarning)
            loaded = PeftModel.from_pretrained(model, str(folder))
    except LOADING as error:
        if is_out_of_memory(error):
            raise
        raise ModelError(
            f"{folder}: the adapter does not fit the model: {squeezed(error)}"
        ) from error
    integrity.check_adapter(str(folder), saved, _tensors(loaded))
    precision.keep_input_types(loaded, dtype)
    return loaded.eval()


def _tensors(model: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's tensors. Embeddings are never trained: PEFT need not ask the hub about them."""
    return get_peft_model_state_dict(model, save_embedding_layers=False)
