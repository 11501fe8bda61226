"""From raw rows to the three splits that a model may see: what `prepare` does, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.schema import ALL, NearDuplicates
from finetune.data import cleaning, near_duplicates, splitting
from finetune.data.cleaning import Split
from finetune.data.near_duplicates import NearDuplicateRows
from finetune.tasks.registry import RawRow, Rows


@dataclass(frozen=True)
class Rules:
    """What may be wrong with rows, what counts as nearly the same, and how a source is split."""

    max_bad_rate: float
    near_duplicates: NearDuplicates
    test_fraction: float
    validation_fraction: float
    seed: int


@dataclass(frozen=True)
class Prepared:
    """The splits, and what is nearly the same in them."""

    splits: dict[str, Split]
    near: NearDuplicateRows


def prepare(
    raw: Mapping[str, Sequence[RawRow]],
    files: Mapping[str, str],
    kind: Rows,
    input_field: str,
    rules: Rules,
    task: str,
) -> Prepared:
    """Clean rows in train, validation and test, and `all` where they were drawn from one.

    `files` names each raw split in messages, `task` the progress bar; `input_field` is what the
    model reads. A split that was drawn has no peculiarities of its own: those are counted in `all`,
    which then is empty.

    Raises:
        DataError: too many rows of a split are bad, two have one id, or train is too small.
    """
    splits = {
        name: cleaning.clean(rows, kind, input_field, files[name], rules.max_bad_rate)
        for name, rows in raw.items()
    }
    # A test split that came as one is left as it is, whatever is odd about its rows.
    for name in (ALL, "train", "validation"):
        if name in splits:
            cleaning.drop_unusable(splits[name])
    if ALL in splits:
        splits |= splitting.split_all(
            splits[ALL], rules.test_fraction, rules.validation_fraction, rules.seed
        )
        splits[ALL].rows = []
    elif "validation" not in splits:
        splitting.split_off_validation(splits, rules.validation_fraction, rules.seed)
    if rules.near_duplicates.threshold is None:
        cleaning.remove_leakage(splits)
        return Prepared(splits, NearDuplicateRows())
    # Before exact copies leave, so that the list of pairs has them too.
    rows = {name: splits[name].rows for name in paths.SPLITS}
    near = near_duplicates.find(rows, rules.near_duplicates, task)
    cleaning.remove_leakage(splits)
    cleaning.remove_near_duplicates(splits, near)
    return Prepared(splits, near)


def check_rows(task: str, splits: Mapping[str, Split]) -> None:
    """See that a model can be trained, chosen and tested.

    Raises:
        DataError: no rows are left in a split.
    """
    for name in paths.SPLITS:
        if not splits[name].rows:
            more = (
                ", or raise data.test_fraction and data.validation_fraction"
                if ALL in splits
                else ""
            )
            raise DataError(
                f"{task}: no rows are left in {name}; see what was dropped in its file{more}"
            )
