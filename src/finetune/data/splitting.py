"""A validation split where the source has none, and seeded subsets."""

import random

from finetune.data.cleaning import Split
from finetune.errors import DataError


def split_off_validation(splits: dict[str, Split], share: float, seed: int) -> None:
    """Move a seeded share of train, at least one row, to a new validation split.

    Raises:
        DataError: train is too small to give a row away.
    """
    train = splits["train"].rows
    count = max(1, round(share * len(train)))
    if count >= len(train):
        raise DataError(f"train has {len(train)} rows, too few to split a validation set off")
    chosen = set(random.Random(seed).sample(range(len(train)), count))
    splits["validation"] = Split([row for i, row in enumerate(train) if i in chosen])
    splits["train"].rows = [row for i, row in enumerate(train) if i not in chosen]
    splits["train"].counts["moved_to_validation"] = count
    splits["validation"].counts["moved_from_train"] = count


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
