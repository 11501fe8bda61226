"""Dropout that is drawn for each row by itself, whatever rows share its micro-batch."""

import hashlib
from collections.abc import Sequence

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn


class Draws:
    """What the next forward pass draws by: a key for each row, shared by all layers.

    `lengths` are the rows' tokens, which stand in the last columns of a batch.
    """

    def __init__(self) -> None:
        self.keys: Sequence[tuple[int, int, int]] = ()
        self.lengths: Sequence[int] = ()


class RowDropout(nn.Module):
    """Dropout of a layer's input (rows, columns, features), seeded by layer, step and row.

    torch's own draws one mask for the whole batch: other neighbours or padding, other mask.
    """

    def __init__(self, p: float, layer: int, draws: Draws) -> None:
        super().__init__()
        self.p, self.layer, self.draws = p, layer, draws

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        kept = torch.zeros_like(x)
        generator = torch.Generator(x.device)
        for row, (key, length) in enumerate(zip(self.draws.keys, self.draws.lengths, strict=True)):
            digest = hashlib.sha256(repr((*key, self.layer)).encode()).digest()
            generator.manual_seed(int.from_bytes(digest[:7], "big"))
            kept[row, -length:].bernoulli_(1 - self.p, generator=generator)
        return x * kept / (1 - self.p)


def draw_by_row(model: PeftModel) -> Draws:
    """Have an adapter's dropout layers drawn by row; returns what they draw by."""
    draws = Draws()
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    for number, layer in enumerate(layers):
        for name, module in layer.lora_dropout.items():
            if isinstance(module, nn.Dropout):
                layer.lora_dropout[name] = RowDropout(module.p, number, draws)
    return draws
