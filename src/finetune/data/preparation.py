"""From raw rows to the three splits that a model may see: what `prepare` does.

No step holds all rows. Each row is looked at by itself, in batches and in several processes
(`batches`), and written to a file; what is known of it, some columns of hashes and flags, stays in
memory. Which rows leave, and where they go, is decided on these columns.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.files import line
from finetune.core.progress import bar
from finetune.core.schema import ALL, Curate, DataEngine, NearDuplicates, Prompt
from finetune.data import cleaning, near_duplicates, splitting, workers
from finetune.data.batches import CleanBatch, RowWork, batches
from finetune.data.minhash import Signatures
from finetune.data.near_duplicates import YIELDS_TO, NearDuplicateRows
from finetune.data.split import Rows, Split, StoredRows
from finetune.tasks import registry

# Of the rows that are set aside so many are held in memory.
FIRST_BAD = 5
# The files in the folder of the work: of all clean rows of a source's split, and of bad rows.
CLEAN, SET_ASIDE = "{}.clean.jsonl", "set_aside.jsonl"


@dataclass(frozen=True)
class Rules:
    """What may be wrong with rows, what counts as nearly the same, and how a source is split.

    Personal data is counted, and masked with `mask_pii`; see `personal.find` for `phone_regions`.
    """

    max_bad_rate: float
    near_duplicates: NearDuplicates
    test_fraction: float
    validation_fraction: float
    seed: int
    mask_pii: bool = False
    phone_regions: tuple[str, ...] = ("US", "GB")


@dataclass(frozen=True)
class Source:
    """The raw rows of a task: a JSON lines file for each split, as `fetch` writes them.

    Files that are no split's are of sources that are mixed in. `names` are those of the files in
    messages; `task` stands on progress bars; `curate` says which rows are taken.
    """

    task: str
    kind: str
    prompt: Prompt | None
    files: Mapping[str, Path]
    names: Mapping[str, str]
    curate: Curate | None = None

    @property
    def mixed(self) -> list[str]:
        """The names of sources that are mixed in, by which they are numbered: in their order."""
        return sorted(name for name in self.files if name not in (ALL, *paths.SPLITS))


@dataclass(frozen=True)
class Prepared:
    """The splits, and what is nearly the same in them: in `searched`, by split.

    `mixed` are the counts of the files of sources that are mixed in.
    """

    splits: dict[str, Split]
    near: NearDuplicateRows
    searched: dict[str, Rows]
    mixed: dict[str, dict[str, int]]

    def cluster_ids(self) -> dict[str, list[list[str]]]:
        """The ids of rows that are linked by near-duplicates, by split."""
        return {
            name: [[self.searched[name][place].id for place in members] for members in clusters]
            for name, clusters in self.near.clusters.items()
        }


def prepare(
    source: Source,
    rules: Rules,
    folder: Path,
    processes: int | str = 1,
    engine: DataEngine = "builtin",
) -> Prepared:
    """Clean rows in train, validation and test, and `all` where they were drawn from one.

    Rows of sources that are mixed in stand in train, after its own.

    What is done to each row by itself is done in so many processes (`workers.opened`). A split that
    was drawn has no peculiarities of its own: those are counted in `all`, which then is empty. The
    rows stand in `folder`, see `remove_work`, beside those set aside.

    Raises:
        DataError: too many rows of a split are bad, two have one id, or train is too small.
    """
    splits = {}
    with workers.opened(processes, engine) as mapped:
        for name in source.files:
            splits[name] = _clean_split(source, name, rules, folder, mapped)
            cleaning.check(splits[name], source.names[name], rules.max_bad_rate)
    mixed = {name: splits.pop(name) for name in source.mixed}
    if mixed:
        target = ALL if ALL in splits else "train"
        splits[target] = _with_mixed(source, splits[target], list(mixed.values()))
        cleaning.check_ids(splits[target], f"{source.names[target]} and source.mix")
    counts = {name: split.counts for name, split in mixed.items()}
    # A test split that came as one is left as it is, whatever is odd about its rows.
    for name in (ALL, "train", "validation"):
        if name in splits:
            cleaning.drop_unusable(splits[name])
    if ALL in splits:
        splits |= splitting.split_all(splits[ALL], rules.test_fraction, rules.validation_fraction)
        splits[ALL].numbers = splits[ALL].numbers[:0]
    elif "validation" not in splits:
        splitting.split_off_validation(splits, rules.validation_fraction, rules.seed)
    if rules.near_duplicates.threshold is None:
        cleaning.remove_leakage(splits)
        return Prepared(splits, NearDuplicateRows(), {}, counts)
    # Before exact copies leave, so that the list of pairs has them too.
    searched = {name: splits[name].rows for name in paths.SPLITS}
    options = rules.near_duplicates
    near = near_duplicates.find(searched, _taken_signatures(splits), options, source.task)
    cleaning.remove_leakage(splits)
    cleaning.remove_near_duplicates(splits, searched, near)
    return Prepared(splits, near, searched, counts)


def _clean_split(
    source: Source, name: str, rules: Rules, folder: Path, mapped: workers.Mapped
) -> Split:
    """A split of the source with all of its clean rows, which are written to a file."""
    work = RowWork(
        source.kind,
        source.prompt,
        source.curate,
        source.names[name],
        rules.near_duplicates,
        rules.seed,
        rules.mask_pii,
        rules.phone_regions,
        name if name in source.mixed else None,
    )
    path, clean_path = source.files[name], folder / CLEAN.format(name)
    known = Known([work.empty()])
    with (
        clean_path.open("wb") as clean,
        (folder / SET_ASIDE).open("ab") as set_aside,
        bar(None, f"clean {source.task} {name}", "B", path.stat().st_size) as shown,
    ):
        for batch in mapped(work, batches(path)):
            clean.write(batch.lines)
            set_aside.writelines(f"{line(row)}\n".encode() for row in batch.bad)
            known.add(batch)
            shown.update(batch.size)
    return known.split(_stored(source, clean_path))


def _stored(source: Source, path: Path) -> StoredRows:
    row = registry.rows(source.kind, source.prompt).Row
    return StoredRows(path, lambda values: row(**values))


def _with_mixed(source: Source, own: Split, mixed: Sequence[Split]) -> Split:
    """A split with the rows of further ones after its own, none of which `split_all` moves."""
    path = cast(StoredRows, own.stored).path
    with path.open("ab") as file:
        for split in mixed:
            with cast(StoredRows, split.stored).path.open("rb") as more:
                shutil.copyfileobj(more, file)
    for number, split in enumerate(mixed, start=1):
        split.columns["source"] = number
        split.columns["draw"] = 1.0
    every = [own, *mixed]
    columns = np.concatenate([split.columns for split in every])
    signatures = [split.signatures for split in every if split.signatures is not None]
    return Split(
        _stored(source, path),
        columns,
        np.arange(len(columns)),
        {**own.counts, "added_by_mix": sum(len(split) for split in mixed)},
        own.bad,
        Signatures.joined([(s, slice(None)) for s in signatures]) if signatures else None,
    )


@dataclass
class Known:
    """What is known of the rows of a file, batch after batch; the first batch is without rows."""

    batches: list[CleanBatch]
    counts: Counter[str] = field(default_factory=lambda: Counter(rows=0))
    bad: list[dict[str, Any]] = field(default_factory=list)
    num_bad: int = 0

    def add(self, batch: CleanBatch) -> None:
        """Add what is known of a batch; its rows are forgotten."""
        self.counts.update(batch.counts)
        self.num_bad += len(batch.bad)
        self.bad += batch.bad[: FIRST_BAD - len(self.bad)]
        self.batches.append(replace(batch, lines=b"", bad=[]))

    def split(self, stored: StoredRows) -> Split:
        """The split of all rows."""
        raw_inputs = np.concatenate([batch.raw_inputs for batch in self.batches])
        self.counts["found_repeated_inputs"] = len(raw_inputs) - len(np.unique(raw_inputs))
        self.counts["set_aside"] = self.num_bad
        columns = np.concatenate([batch.columns for batch in self.batches])
        signatures = [each.signatures for each in self.batches if each.signatures is not None]
        return Split(
            stored,
            columns,
            np.arange(len(columns)),
            dict(self.counts),
            self.bad,
            Signatures.joined([(s, slice(None)) for s in signatures]) if signatures else None,
        )


def _taken_signatures(splits: Mapping[str, Split]) -> Signatures:
    """The signatures of all rows, as `near_duplicates.find` takes them; the splits lose theirs."""
    of_splits = [splits[name] for name in YIELDS_TO]
    joined = Signatures.joined(
        [(each.signatures, each.numbers) for each in of_splits if each.signatures is not None]
    )
    for split in splits.values():
        split.signatures = None
    return joined


def remove_work(folder: Path) -> None:
    """Remove the files of clean rows; the splits cannot be read afterwards."""
    for file in folder.glob(CLEAN.format("*")):
        file.unlink()


def check_rows(task: str, splits: Mapping[str, Split]) -> None:
    """See that a model can be trained, chosen and tested.

    Raises:
        DataError: no rows are left in a split.
    """
    for name in paths.SPLITS:
        if not len(splits[name]):
            more = (
                ", or raise data.test_fraction and data.validation_fraction"
                if ALL in splits
                else ""
            )
            raise DataError(
                f"{task}: no rows are left in {name}; see what was dropped in its file{more}"
            )
