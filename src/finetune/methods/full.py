"""Full fine-tuning: all weights are trained, in float32, and a whole model is written.

Its folder is a Hugging Face folder like any other: `-S model=local -S model.name=models/TASK`.
"""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.errors import ModelError
from finetune.core.files import mode, read_json, write_json
from finetune.core.schema import Lora, Method, Model
from finetune.modeling import base as base_model
from finetune.modeling import integrity
from finetune.modeling.base import Base

WEIGHTS = integrity.SINGLE
HASH = "model_hash"
CAN_CHECKPOINT = True
TAKES_MASKS = True
ANSWERS_NUMBERS = False
# One file: its hash is the model's.
SHARD_SIZE = "1000TB"


def attach(
    model: PreTrainedModel, options: Lora | None = None, method: Method | None = None
) -> PreTrainedModel:
    """The model itself with all weights trainable.

    They are float32, also where layers compute in 16 bits: a step would often be smaller than the
    spacing of these.
    """
    return model.float().requires_grad_(True)


def save(model: PreTrainedModel, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write model and tokenizer to a folder, and check what was written; tied weights stand once.

    Raises:
        ModelError: the file's tensors are not bitwise those in memory.
    """
    model.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(mode())  # safetensors writes files that only their owner can read
    config = read_json(folder / "config.json")
    config.pop("_name_or_path", None)  # would name a user's folders
    write_json(folder / "config.json", config)
    saved, loading = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
    )
    if loading["missing_keys"] or loading["unexpected_keys"]:
        raise ModelError(f"{folder}: the saved model has other tensors than the trained one")
    written = saved.state_dict()
    for name, tensor in model.state_dict().items():
        if not torch.equal(written[name], tensor.cpu()):
            raise ModelError(f"{folder}: {name} differs from the trained model; disk full?")


def load(options: Model, method: Method, folder: Path) -> Base:
    """The folder's model, for inference; the base itself is not needed.

    Raises:
        ModelError: the folder holds no model, or a damaged one.
    """
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder}: holds no model ({WEIGHTS}); run `dvc repro` to train one")
    trained = options.model_copy(update={"name": str(folder), "source": "local", "revision": None})
    try:
        return base_model.load(trained, method, for_inference=True)
    except ModelError as error:
        reason = str(error).removeprefix("model.name: ").removeprefix(f"{folder} ")
        raise ModelError(f"{folder}: {reason}; {integrity.RETRAIN}") from error
