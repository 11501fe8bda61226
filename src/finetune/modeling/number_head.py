"""A head that answers with a number, from the last hidden state of a prompt.

It stands in for the output layer in the forward passes of a context, so that whatever trains and
batches logits of tokens does so with it too; outside it the model writes text as before.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from finetune.core.errors import ModelError

# The module's name in the model, and in the adapter's file.
NAME = "number_head"
# What a new head is made to answer, to see whether it arrives; outputs are capped far below.
PROBE = 100.0
# The least scale of log(1 + number): a number is not known better than to a thousandth.
LEAST_SCALE = 1e-3


class NumberHead(nn.Module):
    """Location and logarithm of the scale (…, 2) of log(1 + number), from hidden states (…, size).

    They are those of a Laplace distribution, whose likelihood is highest where the absolute error
    is least. Computed in float32, whatever the model computes in.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, size))
        # Not called a bias: `lora.bias` is about the base's.
        self.offset = nn.Parameter(torch.zeros(2))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            location, log_scale = nn.functional.linear(
                hidden.float(), self.weight, self.offset
            ).unbind(-1)
        return torch.stack([location, log_scale.clamp(min=math.log(LEAST_SCALE))], dim=-1)


def add(model: PreTrainedModel) -> None:
    """Give the model a head; it answers the same for every prompt until it is trained.

    Raises:
        ModelError: the model scales or caps what its output layer gives, and would a head's too.
    """
    size = model.config.get_text_config().hidden_size
    head = NumberHead(size).to(model.device)
    model.add_module(NAME, head)
    head.offset.data.fill_(PROBE)
    with answering(model), torch.inference_mode():
        outputs = model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device)).logits
    head.offset.data.zero_()
    if not torch.allclose(outputs.float(), torch.full_like(outputs, PROBE).float(), rtol=1e-2):
        raise ModelError(
            f"method.tuner: {type(model).__name__} changes what its output layer gives (scaling, "
            "soft-capping), so that regression_head cannot stand in for it; use -S method=qlora"
        )


def of(model: PreTrainedModel) -> nn.Module | None:
    """The model's head, as PEFT may have wrapped it; None where it has none."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return getattr(inner, NAME, None)


def start(model: PreTrainedModel, numbers: Sequence[float]) -> None:
    """Let the head answer with the median of these numbers, and their spread, before training."""
    logs = np.log1p(np.array(numbers, dtype=float))
    location = float(np.median(logs))
    scale = max(LEAST_SCALE, float(np.abs(logs - location).mean()))
    for module in model.modules():
        if isinstance(module, NumberHead):
            module.offset.data = torch.tensor(
                [location, np.log(scale)], dtype=torch.float32, device=module.offset.device
            )


@contextlib.contextmanager
def answering(model: PreTrainedModel) -> Iterator[bool]:
    """In this context the model's head, if it has one, answers; yields whether it has one."""
    head = of(model)
    if head is None:
        yield False
        return
    layer = model.get_output_embeddings()
    before: Any = vars(layer).get("forward")
    layer.forward = head.forward
    try:
        yield True
    finally:
        del layer.forward
        if before is not None:
            layer.forward = before
