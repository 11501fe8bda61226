"""A regression head above a LoRA adapter: the model answers with a number, and writes no text.

The head reads the last hidden state of the prompt (`modeling.number_head`); it is stored in the
adapter's file.
"""

from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel

from finetune.core.schema import Lora, Method, Model
from finetune.methods import adapters, lora
from finetune.modeling import base as base_model
from finetune.modeling import number_head
from finetune.modeling.base import Base

WEIGHTS, HASH = lora.WEIGHTS, lora.HASH
CAN_CHECKPOINT, TAKES_MASKS = lora.CAN_CHECKPOINT, lora.TAKES_MASKS
ANSWERS_NUMBERS = True
save = adapters.save


def attach(model: PreTrainedModel, options: Lora, method: Method) -> PeftModel:
    """The model with a new head and adapter attached, its own weights frozen.

    Raises:
        ModelError: the adapter or the head does not fit the model.
    """
    number_head.add(model)
    return lora.attach(model, options, method, also_trained=[number_head.NAME])


def load(options: Model, method: Method, folder: Path) -> Base:
    """The base with the folder's head and adapter attached, for inference.

    Raises:
        ModelError: the base cannot be loaded, or the adapter does not fit it.
    """
    base = base_model.load(options, method, for_inference=True)
    number_head.add(base.model)
    return base.with_model(adapters.load(base.model, folder))
