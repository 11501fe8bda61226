"""Prefix tuning (Li and Liang 2021): keys and values that stand before every prompt, in each layer.

PEFT hands them to the model as `past_key_values`. In training it adds them to every forward pass;
at inference they are what a KV cache begins with (`inference.kv_cache`). They take positions of the
model's context: a prompt begins behind them.
"""

from peft import PeftModel, PrefixTuningConfig
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

from finetune.core.errors import ModelError
from finetune.core.schema import Lora, Method
from finetune.methods import adapters

WEIGHTS = adapters.WEIGHTS
HASH = "adapter_hash"
# A layer that is computed again in the backward pass is given no past keys and values.
CAN_CHECKPOINT = False
# PEFT puts the prefix before masks of two dimensions only.
TAKES_MASKS = False
ANSWERS_NUMBERS = False
save, load = adapters.save, adapters.load_on_base


def attach(model: PreTrainedModel, options: Lora, method: Method) -> PeftModel:
    """The model with a new prefix and its own weights frozen.

    The prefix is initialized by torch's global random generator.

    Raises:
        ModelError: the model takes no prefix, or does not see it from everywhere.
    """
    if (window := _window(model)) is not None:
        raise ModelError(
            f"method.tuner: layers of this model see {window} tokens back, padding included: how "
            "much of a prefix that is would depend on a row's batch; use -S method=qlora"
        )
    config = PrefixTuningConfig(num_virtual_tokens=method.num_virtual_tokens, task_type="CAUSAL_LM")
    return adapters.attach(model, config, "method.tuner")


def _window(model: PreTrainedModel) -> int | None:
    """The sliding window of the model's attention, if it is smaller than the context."""
    config = model.config.get_text_config()
    layers = DynamicCache(config=model.config).layers
    if not any(isinstance(layer, DynamicSlidingWindowLayer) for layer in layers):
        return None
    context = getattr(config, "max_position_embeddings", None)
    return None if context and config.sliding_window >= context else config.sliding_window
