"""Bits per byte of general text: how likely it is to the base and to the tuned model."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finetune.core.errors import DataError
from finetune.core.schema import Bootstrap
from finetune.scoring.paired import paired_gain

Row = Mapping[str, Any]

ALL = "all"
PARTS = ("page", "exercises")


def bits(rows: Sequence[Row]) -> list[float]:
    """Bits per byte of each item, in the order of the rows: nll / ln 2 / bytes.

    Fewer bits are a likelier text.
    """
    return [row["nll"] / math.log(2) / row["bytes"] for row in rows]


def forgetting(base: Sequence[Row], tuned: Sequence[Row], options: Bootstrap) -> dict[str, Any]:
    """Mean bits per byte under both models, for each part and for all items, and the difference.

    An item counts as one, whatever its length. The difference is that of the tuned model to the
    base, paired by item, with Student's interval: above zero the text became less likely. `n` is
    the number of items, `truncated` that of those longer than the model's context. Empty where
    neither model gives likelihoods, as hosted ones do not.

    Raises:
        DataError: the two are not of the same items in the same order.
    """
    if items(base) != items(tuned):
        raise DataError(
            "likelihoods of general text to compare are not of the same items; run `dvc repro`"
        )
    if not tuned:
        return {}
    parts = {part: (_of_part(part, base), _of_part(part, tuned)) for part in PARTS}
    parts[ALL] = base, tuned
    return {
        **{part: _compared(bits(old), bits(new), options) for part, (old, new) in parts.items()},
        "n": len(tuned),
        "truncated": sum(row["truncated"] for row in tuned),
    }


def _of_part(part: str, rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row["part"] == part]


def items(rows: Sequence[Row]) -> tuple[tuple[str, str, int], ...]:
    """What was measured: (id, part, bytes) of each item, alike where values may be compared."""
    return tuple((row["id"], row["part"], row["bytes"]) for row in rows)


def _compared(base: list[float], tuned: list[float], options: Bootstrap) -> dict[str, Any]:
    return {
        "base": round(float(np.mean(base)), 4),
        "tuned": round(float(np.mean(tuned)), 4),
        "difference": paired_gain([base], [tuned], options).rounded(),
    }
