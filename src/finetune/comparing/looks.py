"""The ledger of looks at test rows: which configurations were compared by them, and with what p.

Whoever compares often enough finds a difference. So comparisons on test rows are written to
`metrics/looks.json`, which is kept in Git, and Holm's method runs over all of them.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Row
from finetune.comparing.verdicts import Comparison
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json, write_json

# An entry of the ledger as its JSON has it: task, rows, score, before, after, difference, p.
Look = dict[str, Any]
KEYS = ("task", "rows", "score", "before", "after", "p")


def read(root: Path) -> list[Look]:
    """All looks that were written down, in their order; none where there is no ledger.

    Raises:
        UserError: the file is no ledger.
    """
    file = root / paths.looks()
    if not file.is_file():
        return []
    looks = read_json(file).get("looks")
    if not isinstance(looks, list) or not all(
        isinstance(each, dict) and all(key in each for key in KEYS) for each in looks
    ):
        raise UserError(f"{file}: is no ledger of looks; `git checkout -- {paths.looks()}`")
    return looks


def look(before: Configuration, after: Configuration, compared: Comparison) -> Look:
    """The entry of a comparison of primary scores."""
    task = compared.task
    return {
        "task": task,
        "rows": _rows_hash(before.first.predictions[task]),
        "score": compared.score,
        "before": _side(before, task),
        "after": _side(after, task),
        "difference": round(compared.difference.mean, 4),
        "p": compared.p,
    }


def looks(
    before: Configuration, afters: Sequence[Configuration], compared: Sequence[Sequence[Comparison]]
) -> list[Look]:
    """The entries of all comparisons of primary scores that a test could decide."""
    return [
        look(before, after, each)
        for after, rows in zip(afters, compared, strict=True)
        for each in rows
        if each.is_primary and each.is_countable
    ]


def others(ledger: Sequence[Look], now: Sequence[Look]) -> list[float]:
    """The p-values of earlier looks at the same rows as one of those `now`."""
    rows = {each["rows"] for each in now}
    keys = {_key(each) for each in now}
    return [each["p"] for each in ledger if each["rows"] in rows and _key(each) not in keys]


def record(root: Path, ledger: Sequence[Look], now: Iterable[Look]) -> int:
    """Write the new looks to the ledger; returns how many were not in it before."""
    entries = {_key(each): each for each in ledger}
    new = [each for each in now if _key(each) not in entries]
    if new:
        write_json(root / paths.looks(), {"looks": [*ledger, *new]})
    return len(new)


def _key(entry: Look) -> str:
    """Two looks are one where they are of the same runs, whatever these are called.

    Of the same configurations with further seeds it is another look: a second chance.
    """
    sides = [entry[side].get("predictions") for side in ("before", "after")]
    return json.dumps([entry["task"], entry["rows"], entry["score"], sides])


def _side(configuration: Configuration, task: str) -> dict[str, Any]:
    runs = configuration.runs_of(task)
    hashed = sorted(_hash(run.predictions[task]) for run in runs)
    return {"runs": [run.name for run in runs], "predictions": hashed}


def _rows_hash(rows: Sequence[Row]) -> str:
    return _hash(sorted([row["id"], row["reference"], row.get("input_hash")] for row in rows))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
