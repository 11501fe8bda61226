"""Attach a LoRA adapter to a base model, load one, and save one so that it is what was trained."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from finetune.errors import ModelError
from finetune.files import read_json, write_json
from finetune.schema import Lora

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


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
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        said = " ".join(str(error).split())
        raise ModelError(f"lora.target_modules: do not fit this model: {said[:300]}") from error


def save(model: PeftModel, folder: Path) -> None:
    """Write the adapter, and read it back to see that every tensor is as it was in memory.

    Raises:
        ModelError: what stands on disk is not what was trained.
    """
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form for a model card
    config = read_json(folder / CONFIG)
    if isinstance(config["target_modules"], list):
        # A set in PEFT, in another order in every process: one adapter would have many hashes.
        write_json(folder / CONFIG, config | {"target_modules": sorted(config["target_modules"])})
    saved = load_file(folder / WEIGHTS)
    trained = get_peft_model_state_dict(model)
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
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder}: holds no adapter ({WEIGHTS}); run `dvc repro` to train one")
    try:
        return PeftModel.from_pretrained(model, str(folder)).eval()
    except (ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise ModelError(f"{folder}: the adapter does not fit the model: {said[:300]}") from error
