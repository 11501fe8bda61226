"""Splits where the source has none, and seeded subsets."""

import random
from collections.abc import Mapping

import numpy as np

from finetune.core import mixing, paths
from finetune.core.errors import DataError
from finetune.core.schema import Curate, Limit, TaskSource
from finetune.data import curation
from finetune.data.split import Split, draw


def split_all(
    everything: Split, test_fraction: float, validation_fraction: float
) -> dict[str, Split]:
    """Train, validation and test out of one split; validation is a fraction of what test leaves.

    Each row goes where a hash of the seed and its input says (`split.draw`). Rows of one input
    therefore never stand in two splits, and a row that is added moves no other; the fractions hold
    up to chance.
    """
    validation_end = test_fraction + (1 - test_fraction) * validation_fraction
    draws = everything.column("draw")
    is_test, is_train = draws < test_fraction, draws >= validation_end
    masks = {"train": is_train & ~is_test, "validation": ~is_train & ~is_test, "test": is_test}
    splits = {name: everything.part(everything.numbers[mask]) for name, mask in masks.items()}
    for split in splits.values():
        split.counts["drawn_from_all"] = int((split.column("source") == 0).sum())
    return splits


def split_off_validation(splits: dict[str, Split], fraction: float, seed: int) -> None:
    """Move a seeded fraction of train's own rows, at least one, to a new validation split.

    Raises:
        DataError: train is too small to give a row away.
    """
    train = splits["train"]
    own = np.flatnonzero(train.column("source") == 0)
    count = max(1, round(fraction * len(own)))
    if count >= len(own):
        raise DataError(f"train has {len(own)} rows, too few to split a validation set off")
    is_chosen = np.zeros(len(train), np.bool_)
    is_chosen[own[random.Random(seed).sample(range(len(own)), count)]] = True
    splits["validation"] = train.part(train.numbers[is_chosen])
    train.keep(~is_chosen)
    train.counts["moved_to_validation"] = count
    splits["validation"].counts["moved_from_train"] = count


def choose(
    splits: Mapping[str, Split], source: TaskSource, limits: Limit, seed: int, task: str
) -> None:
    """Keep of each split the rows that parameters ask for: its mixture, its size, its limit.

    Raises:
        DataError: a split has fewer rows than `source.curate.sizes` says, or none are left of a
            source that is mixed in.
    """
    if source.mix:
        _mix(splits["train"], {name: part.weight for name, part in source.mix.items()}, seed, task)
    fix_sizes(splits, source.curate, seed, task)
    for split in paths.SPLITS:
        limit(splits[split], getattr(limits, split), seed)


def _mix(train: Split, weights: Mapping[str, float], seed: int, task: str) -> None:
    """Keep rows of each source in proportion to its weight, of train's own to 1."""
    sources = train.column("source").astype(np.int64)
    names = sorted(weights)
    for number, name in enumerate(names, start=1):
        if not np.any(sources == number):
            raise DataError(
                f"tasks.{task}.source.mix.{name}: none of its rows are left to train on: there are "
                "none, or they are empty, curated away, or repeat rows that are there already"
            )
    by_source = dict(enumerate([1.0, *(weights[name] for name in names)]))
    is_drawn = mixing.drawn(sources, by_source, seed)
    train.counts["left_out_by_mix"] = train.keep(is_drawn)


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
        drawn_by = [(curate.weight(row), draw(row.id, seed)) for row in split.rows]
        weights, uniforms = np.array(drawn_by, np.float64).reshape(-1, 2).T
        try:
            mask = curation.drawn(weights, uniforms, size)
        except ValueError as error:
            raise DataError(
                f"tasks.{task}.source.curate.sizes.{name}: is {size:,}, and only {error} rows of "
                f"{name} can be drawn"
            ) from None
        split.counts["dropped_by_size"] = split.keep(mask)


def limit(split: Split, rows: int | None, seed: int) -> None:
    """Keep a seeded subset of at most so many rows, in their order; None keeps all.

    A smaller limit gives a subset of a larger one, so that runs at two limits share rows.
    """
    if rows is None or rows >= len(split):
        return
    drawn = list(range(len(split)))
    random.Random(seed).shuffle(drawn)
    is_drawn = np.zeros(len(split), np.bool_)
    is_drawn[drawn[:rows]] = True
    split.counts["left_out_by_limit"] = split.keep(is_drawn)
