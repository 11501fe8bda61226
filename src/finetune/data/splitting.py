"""Splits where the source has none, and seeded subsets."""

import hashlib
import random
from collections.abc import Mapping

import numpy as np

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.schema import Curate
from finetune.data.cleaning import Split
from finetune.data.curation import drawn


def split_all(
    everything: Split, test_fraction: float, validation_fraction: float, seed: int
) -> dict[str, Split]:
    """Train, validation and test out of one split; validation is a fraction of what test leaves.

    Each row goes where a hash of the seed and its input says. Rows of one input therefore never
    stand in two splits, and a row that is added moves no other; the fractions hold up to chance.
    """
    splits = {name: Split([]) for name in ("train", "validation", "test")}
    validation_end = test_fraction + (1 - test_fraction) * validation_fraction
    for row in everything.rows:
        place = _uniform(row.input, seed)
        name = (
            "test" if place < test_fraction else "validation" if place < validation_end else "train"
        )
        splits[name].rows.append(row)
    for split in splits.values():
        split.counts["drawn_from_all"] = len(split.rows)
    return splits


def _uniform(text: str, seed: int) -> float:
    """A number from 0 up to 1, the same for the same text and seed on every machine."""
    digest = hashlib.sha256(f"{seed}\n{text}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def split_off_validation(splits: dict[str, Split], fraction: float, seed: int) -> None:
    """Move a seeded fraction of train, at least one row, to a new validation split.

    Raises:
        DataError: train is too small to give a row away.
    """
    train = splits["train"].rows
    count = max(1, round(fraction * len(train)))
    if count >= len(train):
        raise DataError(f"train has {len(train)} rows, too few to split a validation set off")
    chosen = set(random.Random(seed).sample(range(len(train)), count))
    splits["validation"] = Split([row for i, row in enumerate(train) if i in chosen])
    splits["train"].rows = [row for i, row in enumerate(train) if i not in chosen]
    splits["train"].counts["moved_to_validation"] = count
    splits["validation"].counts["moved_from_train"] = count


def fix_sizes(splits: Mapping[str, Split], curate: Curate | None, seed: int, task: str) -> None:
    """Keep exactly as many rows of each split as `curate.sizes` says, drawn by weight and id.

    Raises:
        DataError: a split has fewer that may be drawn.
    """
    for name in paths.SPLITS:
        size = None if curate is None else getattr(curate.sizes, name)
        if curate is None or size is None:
            continue
        split = splits[name]
        weights = np.array([curate.weight(row) for row in split.rows])
        uniforms = np.array([_uniform(row.id, seed) for row in split.rows])
        try:
            mask = drawn(weights, uniforms, size)
        except ValueError as error:
            raise DataError(
                f"tasks.{task}.source.curate.sizes.{name}: is {size:,}, and only {error} rows of "
                f"{name} can be drawn"
            ) from None
        split.counts["dropped_by_size"] = len(split.rows) - size
        split.rows = [row for row, is_drawn in zip(split.rows, mask, strict=True) if is_drawn]


def limit(split: Split, rows: int | None, seed: int) -> None:
    """Keep a seeded subset of at most so many rows, in their order; None keeps all.

    A smaller limit gives a subset of a larger one, so that runs at two limits share rows.
    """
    if rows is None or rows >= len(split.rows):
        return
    drawn = list(range(len(split.rows)))
    random.Random(seed).shuffle(drawn)
    split.counts["left_out_by_limit"] = len(split.rows) - rows
    split.rows = [split.rows[i] for i in sorted(drawn[:rows])]
