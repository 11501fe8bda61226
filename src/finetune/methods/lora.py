"""LoRA (Hu et al. 2021) on a base of any precision: QLoRA on one of 4 bits, DoRA, rsLoRA.

`lora.init` says what the two factors start from. With `pissa` (Meng et al. 2024) and `olora`
(Büyükakyüz 2024) they start from the base's weights, which are changed by what the factors hold:
loading such an adapter computes the same change again, from the same base.
"""

from pathlib import Path

from peft import LoraConfig, PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.errors import ModelError
from finetune.core.schema import Lora, Method, Model
from finetune.methods import adapters
from finetune.modeling import base as base_model
from finetune.modeling.base import Base

WEIGHTS = adapters.WEIGHTS
HASH = "adapter_hash"
CAN_CHECKPOINT = True


def attach(model: PreTrainedModel, options: Lora, method: Method | None = None) -> PeftModel:
    """The model with a new adapter attached and its own weights frozen, but for `lora.bias`.

    The adapter is initialized by torch's global random generator.

    Raises:
        ModelError: the adapter does not fit the model.
    """
    key = "lora.target_modules" if options.init == "kaiming" else "lora"
    attached = adapters.attach(model, _config(options), key)
    biases = [p for name, p in attached.named_parameters() if name.endswith("bias")]
    if options.bias != "none" and not any(bias.requires_grad for bias in biases):
        raise ModelError(f"lora.bias: is {options.bias}, and this model has no such biases")
    for bias in biases:
        if bias.requires_grad:  # trained in float32, as the adapter is
            bias.data = bias.data.float()
    return attached


def _config(options: Lora) -> LoraConfig:
    return LoraConfig(
        r=options.r,
        lora_alpha=options.effective_alpha,
        lora_dropout=options.dropout,
        target_modules=options.target_modules,
        use_dora=options.dora,
        use_rslora=options.rslora,
        init_lora_weights=True if options.init == "kaiming" else options.init,
        bias=options.bias,
        task_type="CAUSAL_LM",
    )


def save(model: PeftModel, folder: Path, tokenizer: PreTrainedTokenizerBase | None = None) -> None:
    """Write the adapter to a folder, and check what was written.

    Raises:
        ModelError: it is not what is in memory.
    """
    adapters.save(model, folder)


def load(options: Model, method: Method, folder: Path) -> Base:
    """The base with the folder's adapter attached, for inference.

    Raises:
        ModelError: the base cannot be loaded, or the adapter does not fit it.
    """
    base = base_model.load(options, method, for_inference=True)
    return base.with_model(adapters.load(base.model, folder))
