"""Where two runs differ in their data alone: which rows of which split."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from finetune.comparing.comparability import changed_params, lacking
from finetune.comparing.configurations import QUESTIONS, SEEDS, matches
from finetune.comparing.runs import Run
from finetune.core import paths
from finetune.core.errors import UserError, brief
from finetune.core.files import parse_json

# Parameters that say which data there are: a difference in them is one of the data.
OF_DATA = ("data.*", "tasks.*.source.*")
# So many ids of rows are named.
MOST = 10


@dataclass(frozen=True)
class SplitChange:
    """What differs in a split: its rows before and after, and ids where the files are at hand.

    `only_before` and `only_after` are ids that the other run lacks, `changed` those whose rows hold
    something else; None where one of the files is in no cache here.
    """

    split: str
    rows: tuple[int | None, int | None]
    only_before: list[str] | None = None
    only_after: list[str] | None = None
    changed: list[str] | None = None

    @property
    def is_change(self) -> bool:
        """Whether anything differs, as far as is known."""
        ids = (self.only_before, self.only_after, self.changed)
        return self.rows[0] != self.rows[1] or None in ids or any(ids)


@dataclass(frozen=True)
class DataChange:
    """A task whose prepared data differ between two runs, in which nothing else does.

    `keys` are parameters of data that differ.
    """

    task: str
    keys: list[str]
    splits: list[SplitChange]


def between(before: Run, after: Run) -> list[DataChange]:
    """The tasks in which two runs differ in data alone: not in code, model or other parameters.

    By dvc.lock; a run whose lock knows no code is compared with none.
    """
    keys = [
        key
        for key in changed_params(before, after)
        if not matches(key, QUESTIONS) and not matches(key, SEEDS)
    ]
    absent = lacking(before, after)
    changes = []
    for task in before.kinds:
        if task in absent or not all(matches(key, OF_DATA) for key in _of_task(keys, task)):
            continue
        data, code = zip(*(_deps(run, task) for run in (before, after)), strict=True)
        if code[0] and code[0] == code[1] and data[0] != data[1]:
            splits = [_split(before, after, task, split) for split in paths.SPLITS]
            of_data = _of_task(keys, task)
            changes.append(DataChange(task, of_data, [s for s in splits if s.is_change]))
    return changes


def _of_task(keys: Iterable[str], task: str) -> list[str]:
    """The keys that are not another task's."""
    return [k for k in keys if not k.startswith("tasks.") or k.startswith(f"tasks.{task}.")]


def _deps(run: Run, task: str) -> tuple[frozenset[Any], frozenset[Any]]:
    """What a task's training and predictions came from, by dvc.lock: its data, and all else."""
    deps = {dep for dep in run.code if dep[0] in (f"train@{task}", f"predict@{task}")}
    data = {dep for dep in deps if dep[1].startswith(paths.prepared(task).as_posix())}
    return frozenset(data), frozenset(deps - data)


def _split(before: Run, after: Run, task: str, split: str) -> SplitChange:
    counts = (_kept(before, task, split), _kept(after, task, split))
    try:
        old, new = (_hashes(run, task, split) for run in (before, after))
    except UserError:  # of a shelved run, or in no cache here
        return SplitChange(split, counts)
    return SplitChange(
        split,
        (len(old), len(new)),
        [name for name in old if name not in new],
        [name for name in new if name not in old],
        [name for name in old if new.get(name, old[name]) != old[name]],
    )


def _kept(run: Run, task: str, split: str) -> int | None:
    """The rows of a split, as the run's metrics count them; None where it has none of these."""
    path = paths.metrics(task, "data").as_posix()
    try:
        counts = parse_json(run.text(path), f"{run.name}: {path}")[task]["data"][split]
    except (UserError, LookupError, TypeError):
        return None
    return counts.get("kept") if isinstance(counts, dict) else None


def _hashes(run: Run, task: str, split: str) -> dict[str, str]:
    """A hash of each prepared row, by its id."""
    path = (paths.prepared(task) / f"{split}.jsonl").as_posix()
    hashes = {}
    # Not splitlines(): a text may hold U+2028, which is no line end in JSON lines.
    for number, line in enumerate(run.text(path).split("\n"), start=1):
        if line:
            row = parse_json(line, f"{run.name}: {path}", number)
            text = json.dumps(row, sort_keys=True)
            hashes[str(row.get("id"))] = hashlib.sha256(text.encode()).hexdigest()
    return hashes


def lines(before: Run, after: Run, changes: Iterable[DataChange]) -> list[str]:
    """The changes in words, a line a task and one a split."""
    said = []
    seeds = [key for key in changed_params(before, after) if matches(key, SEEDS)]
    but = f" but for {', '.join(seeds)}" if seeds else ""
    for change in changes:
        keys = f" ({', '.join(change.keys)})" if change.keys else ""
        said.append(
            f"{before.name} and {after.name} differ in the data of {change.task} alone{keys}: "
            f"code, model and other parameters are the same{but}."
        )
        said += [f"  {_line(split, before, after)}" for split in change.splits]
        if not change.splits:
            said.append(
                "  All splits have the same rows; what was set aside, or is alike, differs."
            )
    return said


def _line(split: SplitChange, before: Run, after: Run) -> str:
    old, new = ("?" if count is None else f"{count:,}" for count in split.rows)
    rows = f"{split.split}: {old} and {new} rows"
    if split.only_before is None or split.only_after is None or split.changed is None:
        return f"{rows}; which ones differ is not known here: their files are in no cache"
    parts = [
        f"{len(ids):,} {what} ({_ids(ids)})"
        for ids, what in (
            (split.only_before, f"only in {before.name}"),
            (split.only_after, f"only in {after.name}"),
            (split.changed, "with other content"),
        )
        if ids
    ]
    return f"{rows}: {', '.join(parts)}"


def _ids(ids: list[str]) -> str:
    more = ", …" if len(ids) > MOST else ""
    return ", ".join(brief(name) if len(name) > 40 else name for name in ids[:MOST]) + more


def as_json(changes: Iterable[DataChange]) -> list[dict[str, Any]]:
    """The changes with counts, and at most `MOST` ids of each sort; null where not known."""
    return [
        {
            "task": change.task,
            "params": change.keys,
            "splits": {
                each.split: {
                    "rows": list(each.rows),
                    **{
                        name: None if ids is None else {"count": len(ids), "ids": ids[:MOST]}
                        for name, ids in (
                            ("only_before", each.only_before),
                            ("only_after", each.only_after),
                            ("changed", each.changed),
                        )
                    },
                }
                for each in change.splits
            },
        }
        for change in changes
    ]
