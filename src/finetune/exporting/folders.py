"""A whole model in a folder in Hugging Face format, and the weights in the folder of any form."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.errors import ModelError
from finetune.core.files import mode, read_json, sha256, write_json
from finetune.core.schema import Model

CONFIG = "config.json"
WEIGHTS = (".safetensors", ".gguf")
# In an export below the repository: weights are not for Git, and can be had again.
IGNORED = ".gitignore"
IGNORES_ALL = "# Written by finetune export; remove this file to commit what is here.\n*\n"


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write model and tokenizer, and check that the files' tensors are bitwise those in memory.

    Raises:
        ModelError: they are not.
    """
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = read_json(folder / CONFIG)
    config.pop("_name_or_path", None)  # would name a user's folders
    write_json(folder / CONFIG, config)
    for file in folder.iterdir():
        file.chmod(mode())  # safetensors writes files that only their owner can read
    in_memory = model.state_dict()
    for file in folder.glob("*.safetensors"):
        for name, tensor in load_file(file).items():
            if name not in in_memory or not torch.equal(tensor, in_memory[name].cpu()):
                raise ModelError(f"{folder}: {name} differs from the merged model; disk full?")


def weights(folder: Path) -> list[Path]:
    """The files of weights in a folder, one or several."""
    return sorted(file for file in folder.iterdir() if file.suffix in WEIGHTS and file.is_file())


def weights_hash(folder: Path) -> str:
    """The first twelve digits of a hash of all weights in a folder."""
    lines = "".join(f"{sha256(file)}  {file.name}\n" for file in weights(folder))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


def as_model(options: Model, folder: Path) -> Model:
    """The parameters of a model in a folder."""
    return options.model_copy(update={"name": str(folder), "source": "local", "revision": None})
