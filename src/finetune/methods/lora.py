"""LoRA (Hu et al. 2021) on a base of any precision: QLoRA on one of 4 bits, DoRA, rsLoRA.

`lora.init` says what the two factors start from. With `pissa` (Meng et al. 2024) and `olora`
(Büyükakyüz 2024) they start from the base's weights, which are changed by what the factors hold:
loading such an adapter computes the same change again, from the same base.
"""

from collections.abc import Sequence

from peft import LoraConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel

from finetune.core.errors import ModelError
from finetune.core.schema import Lora, Method
from finetune.methods import adapters

WEIGHTS = adapters.WEIGHTS
HASH = "adapter_hash"
CAN_CHECKPOINT = True
TAKES_MASKS = True
ANSWERS_NUMBERS = False
save, load = adapters.save, adapters.load_on_base


def attach(
    model: PreTrainedModel,
    options: Lora,
    method: Method | None = None,
    also_trained: Sequence[str] = (),
) -> PeftModel:
    """The model with a new adapter attached and its own weights frozen, but for `lora.bias`.

    The adapter is initialized by torch's global random generator; `also_trained` are names of
    modules that are trained as a whole beside it.

    Raises:
        ModelError: the adapter does not fit the model.
    """
    key = "lora.target_modules" if options.init == "kaiming" else "lora"
    attached = adapters.attach(model, _config(options, also_trained), key)
    _check_dropout(attached, options)
    biases = [p for name, p in attached.named_parameters() if name.endswith("bias")]
    if options.bias != "none" and not any(bias.requires_grad for bias in biases):
        raise ModelError(f"lora.bias: is {options.bias}, and this model has no such biases")
    for bias in biases:
        if bias.requires_grad:  # trained in float32, as the adapter is
            bias.data = bias.data.float()
    return attached


def _check_dropout(model: PeftModel, options: Lora) -> None:
    """Refuse what cannot be dropped row by row: the output layer sees single tokens of rows.

    Raises:
        ModelError: the output layer is among the targets, and there is dropout.
    """
    if options.dropout and isinstance(model.get_output_embeddings(), BaseTunerLayer):
        raise ModelError(
            f"lora.dropout: is {options.dropout:g}, must be 0 where lora.target_modules names the "
            "output layer"
        )


def _config(options: Lora, also_trained: Sequence[str]) -> LoraConfig:
    return LoraConfig(
        r=options.r,
        lora_alpha=options.effective_alpha,
        lora_dropout=options.dropout,
        target_modules=options.target_modules,
        use_dora=options.dora,
        use_rslora=options.rslora,
        init_lora_weights=True if options.init == "kaiming" else options.init,
        bias=options.bias,
        modules_to_save=list(also_trained) or None,
        task_type="CAUSAL_LM",
    )
