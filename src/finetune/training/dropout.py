"""Dropout with a mask for each row that does not depend on the other rows of its micro-batch."""

import hashlib
from collections.abc import Sequence

import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PreTrainedModel

from finetune.core.errors import ModelError


class DropoutKeys:
    """The seeds of the next forward pass's dropout masks, shared by all layers.

    by_row: for each row of the batch the run's seed, the optimizer step, the row's index.
    lengths: of the rows, in tokens, which are in the last columns of the batch.
    """

    def __init__(self) -> None:
        self.by_row: Sequence[tuple[int, int, int]] = ()
        self.lengths: Sequence[int] = ()


class RowDropout(nn.Module):
    """Dropout of a layer's input (rows, columns, features), seeded by layer, step and row.

    Some models give a layer the columns of all rows one after another, (rows · columns, features).
    torch's own draws one mask for the batch, so that a row's depends on other rows and padding.
    """

    def __init__(self, p: float, layer: int, dropout_keys: DropoutKeys) -> None:
        super().__init__()
        self.p, self.layer, self.dropout_keys = p, layer, dropout_keys

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        kept = torch.zeros_like(x)
        by_row = self._by_row(kept)
        generator = torch.Generator(x.device)
        rows = zip(self.dropout_keys.by_row, self.dropout_keys.lengths, strict=True)
        for row, (key, length) in enumerate(rows):
            digest = hashlib.sha256(repr((*key, self.layer)).encode()).digest()
            generator.manual_seed(int.from_bytes(digest[:7], "big"))
            by_row[row, -length:].bernoulli_(1 - self.p, generator=generator)
        return x * kept / (1 - self.p)

    def _by_row(self, x: torch.Tensor) -> torch.Tensor:
        """The same memory as (rows, columns, features).

        Raises:
            ModelError: it lacks columns of the rows, as where a router chose among them.
        """
        rows, lengths = len(self.dropout_keys.by_row), self.dropout_keys.lengths
        # Without keys memory is measured, and nothing is kept.
        if not rows or (x.dim() > 2 and len(x) == rows):
            return x
        if x.dim() == 2 and not len(x) % rows and len(x) // rows >= max(lengths):
            return x.view(rows, -1, x.shape[-1])
        raise ModelError(
            f"lora.dropout: a layer is given {list(x.shape)}, not all tokens of {rows} rows; set "
            "lora.dropout=0, or leave the layer out of lora.target_modules"
        )


def use_row_dropout(model: PreTrainedModel) -> DropoutKeys:
    """Replace a LoRA adapter's dropout layers, if any, by `RowDropout`; returns their keys."""
    keys = DropoutKeys()
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    for number, layer in enumerate(layers):
        for name, module in layer.lora_dropout.items():
            if isinstance(module, nn.Dropout):
                layer.lora_dropout[name] = RowDropout(module.p, number, keys)
    return keys
