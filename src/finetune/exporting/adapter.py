"""adapter: the LoRA adapter as vLLM takes it, its rank padded with zeros to one that it accepts.

vLLM holds no base in bitsandbytes' 4 or 8 bits. So the adapter stands, and is scored, on the base
as it was published, or on the one that it was trained on, which is then written beside it, in 16
bits: one such base serves the adapters of all tasks.
"""

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from finetune.core.errors import UserError
from finetune.core.files import mode, read_json, write_json
from finetune.core.schema import INDEPENDENT_INITS
from finetune.exporting import folders, merging
from finetune.exporting.source import Loaded, Shell, Source
from finetune.inference.engines import vllm_engine
from finetune.methods import adapters
from finetune.methods import registry as methods

NAME = "adapter"
BASE = "base"
# What vLLM's --max-lora-rank can be, and so what it reserves memory for.
RANKS = (1, *vllm_engine.RANKS)
Tensors = dict[str, torch.Tensor]


def check(source: Source) -> None:
    """See `forms.Form.check`."""
    if not (source.folder / adapters.CONFIG).is_file():
        raise UserError(
            f"--form {NAME}: {source.folder} holds a whole model and no adapter; take --form merged"
        )
    config = read_json(source.folder / adapters.CONFIG)
    if reason := _reason(config):
        raise UserError(f"--form {NAME}: vLLM takes no adapter {reason}; take --form merged")


def _reason(config: dict[str, Any]) -> str | None:
    """What vLLM would refuse about an adapter; None where it takes it."""
    if config.get("peft_type") != "LORA":
        return f"of the type {config.get('peft_type')}"
    if config.get("use_dora"):
        return "with DoRA (lora.dora)"
    if config.get("bias", "none") != "none":
        return f"with trained biases (lora.bias={config['bias']})"
    if config.get("modules_to_save"):
        return f"with whole modules ({', '.join(config['modules_to_save'])})"
    if config.get("init_lora_weights") not in (True, *INDEPENDENT_INITS):
        return f"that changes its base (lora.init={config['init_lora_weights']})"
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        return "with ranks or alphas that differ between modules"
    if config["r"] > RANKS[-1]:
        return f"of rank {config['r']} (at most {RANKS[-1]})"
    return None


def label(source: Source) -> str:
    """See `forms.Form.label`."""
    return source.label(NAME)


def write(source: Source, folder: Path) -> None:
    """See `forms.Form.write`."""
    config = read_json(source.folder / adapters.CONFIG)
    rank = next(each for each in RANKS if each >= config["r"])
    tensors = padded(load_file(source.folder / adapters.WEIGHTS), rank)
    save_file(tensors, folder / adapters.WEIGHTS, metadata={"format": "pt"})
    alpha = padded_alpha(config["lora_alpha"], config["r"], rank, config.get("use_rslora", False))
    write_json(folder / adapters.CONFIG, {**config, "r": rank, "lora_alpha": alpha})
    (folder / adapters.WEIGHTS).chmod(mode())
    if source.into == "dequantized":
        base = merging.dequantized_base(source)
        folders.save(base.model, base.tokenizer, folder / BASE)


def padded(tensors: Tensors, rank: int) -> Tensors:
    """LoRA's factors A (rank, inputs) and B (outputs, rank), with zeros up to a higher rank.

    The product B A stays what it is.
    """
    return {name: _padded(name, tensor, rank) for name, tensor in tensors.items()}


def _padded(name: str, tensor: torch.Tensor, rank: int) -> torch.Tensor:
    is_a = ".lora_A." in name
    more = rank - tensor.shape[0 if is_a else 1]
    padding = (0, 0, 0, more) if is_a else (0, more)
    return torch.nn.functional.pad(tensor, padding).contiguous()


def padded_alpha(alpha: float, rank: int, padded_rank: int, is_rslora: bool) -> float:
    """The alpha with which a padded adapter has the scale alpha / r, or alpha / sqrt(r), of before.

    PEFT and vLLM divide by the rank in the config, which is the padded one.
    """
    ratio = padded_rank / rank
    scaled = alpha * (math.sqrt(ratio) if is_rslora else ratio)
    return int(scaled) if float(scaled).is_integer() else scaled


def load(source: Source, folder: Path, _: Shell) -> Loaded:
    """See `forms.Form.load`."""
    model = source.settings.model
    if source.into == "dequantized":
        model = folders.as_model(model, folder / BASE)
    return Loaded(methods.load(model, source.on_original, folder))
