"""Looks at test rows, written to the ledger.

Whoever compares often enough finds a difference. So what reads test rows is written to
`metrics/looks.json`, which is kept in Git, and Holm's method runs over all of it.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from filelock import FileLock

from finetune import ledger
from finetune.comparing.configurations import Configuration
from finetune.comparing.verdicts import Comparison, primary_metric
from finetune.core import paths
from finetune.core.files import write_json
from finetune.ledger import Ledger, Look, Side


def of_comparisons(
    before: Configuration,
    afters: Sequence[Configuration],
    compared: Sequence[Sequence[Comparison]],
    by_cluster: bool = False,
) -> list[Look]:
    """The looks of all comparisons of primary scores that a test could decide, each once."""
    found = (
        Look(
            task=each.task,
            rows=before.first.digest(each.task).rows,
            score=each.score,
            before=_side(before, each.task),
            after=_side(after, each.task),
            difference=round(each.difference.mean, 4),
            p=each.p,
            by_cluster=by_cluster,
        )
        for after, rows in zip(afters, compared, strict=True)
        for each in rows
        if each.is_primary and each.is_countable
    )
    return _distinct(found)


def of_configuration(configuration: Configuration) -> list[Look]:
    """The looks at the runs of one configuration, which are compared with nothing."""
    first = configuration.first
    return [
        Look(
            task=task,
            rows=first.digest(task).rows,
            score=primary_metric(first, task),
            before=_side(configuration, task),
        )
        for task in first.kinds
    ]


def others(book: Sequence[Look], now: Sequence[Look]) -> list[float]:
    """The p-values of earlier looks at the same rows as one of those `now`."""
    rows = {each.rows for each in now}
    keys = {_key(each) for each in now}
    return [
        each.p
        for each in _distinct(book)
        if each.p is not None and each.rows in rows and _key(each) not in keys
    ]


def record(root: Path, now: Iterable[Look]) -> int:
    """Write the new looks to the ledger; returns how many were not in it before.

    Raises:
        UserError: the file is no ledger.
    """
    lock = root / ".dvc/tmp/looks.lock"  # where nothing is in Git
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        # Read again: another comparison may have ended since.
        written = ledger.read(root)
        keys = {_key(each) for each in written}
        new = [each for each in now if _key(each) not in keys]
        if new:
            whole = Ledger(looks=[*written, *new])
            write_json(root / paths.looks(), whole.model_dump(exclude_defaults=True))
    return len(new)


def _distinct(looks: Iterable[Look]) -> list[Look]:
    """The first of each look; a ledger that was merged by hand may have some twice."""
    found: dict[str, Look] = {}
    for each in looks:
        found.setdefault(_key(each), each)
    return list(found.values())


def _key(look: Look) -> str:
    """Two looks are one where they are of the same runs, whatever these are called.

    Which one is held against which does not matter. Of the same configurations with further seeds
    it is another look: a second chance.
    """
    sides = sorted(side.predictions for side in (look.before, look.after) if side)
    return json.dumps([look.task, look.rows, look.score, look.by_cluster, sides])


def _side(configuration: Configuration, task: str) -> Side:
    runs = configuration.runs_of(task)
    return Side(
        runs=[run.name for run in runs],
        predictions=sorted(run.digest(task).predictions for run in runs),
    )
