"""`finetune audit NAME`: whether a revision's metrics and predictions are those of its adapter.

In a temporary checkout: every file is held against dvc.lock, all scores are computed again from
the predictions, and predictions of rows drawn at random from the adapter. It is done by the
revision's own stages: predictions are what its code, parameters and data give, and another code
may rightly give others. Whether that code is to be trusted is for whoever reads its diff, so the
files in which it differs from HEAD are named.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from finetune.auditing import checkout, hashes, recomputing, tables
from finetune.auditing.checkout import Checkout
from finetune.auditing.drawing import num_drawn, num_edited
from finetune.auditing.hashes import Hashes
from finetune.auditing.recomputing import Recomputed
from finetune.auditing.tables import Audit
from finetune.core.errors import UserError


@dataclass(frozen=True)
class Options:
    """How much is computed again.

    rows: of each split of each task, None for as many as find an edit of the rate `edited` of its
    rows with the wanted `probability`; seed: of the draw, None for one that nobody knew;
    tolerance: up to which numbers differ by rounding, as `differences` has it.
    """

    task: str | None = None
    rows: int | None = None
    seed: int | None = None
    edited: float = 0.05
    probability: float = 0.95
    tolerance: float = 0.0001
    style: str = "simple"


def run(root: Path, name: str, options: Options) -> int:
    """Print what was found; 1 if anything is not as it was committed.

    Raises:
        UserError: an option is out of range, or the revision is not here in full.
    """
    _check(options)
    # From a known seed, who edits predictions would know which rows are safe.
    seed = secrets.randbits(32) if options.seed is None else options.seed
    with checkout.of(root, name, options.task) as there:
        _check_rows(there, options)
        code = checkout.changed_code(root, there.commit)
        found = hashes.of(there)
        recomputed, skipped = _recomputed(there, found, seed, options)
        audit = Audit(name, there.commit, seed, code, found, recomputed, skipped)
    if options.style == "json":
        print(json.dumps(tables.as_json(audit, options.edited, options.tolerance), indent=2))
    else:
        print(tables.text(audit, options.edited, options.tolerance, options.style))
    return int(not audit.is_as_committed)


def _check(options: Options) -> None:
    for flag, value in (("edited", options.edited), ("probability", options.probability)):
        if not 0 < value <= 1:
            raise UserError(f"--{flag}: is {value:g}, must be above 0 and at most 1")
    if options.rows is not None and options.rows < 0:
        raise UserError(f"--rows: is {options.rows}, must be 0 or more")
    if not 0 <= options.tolerance < 1:
        raise UserError(f"--tolerance: is {options.tolerance:g}, must be at least 0 and below 1")


def _check_rows(there: Checkout, options: Options) -> None:
    """Check that so many rows can be drawn, and answered here.

    Raises:
        UserError: they cannot.
    """
    for task in there.tasks:
        most = recomputing.num_rows(there, task)
        if options.rows is not None and options.rows > most:
            raise UserError(f"--rows: is {options.rows}, and {task} has {most} rows in a split")
    if there.params["model"]["source"] == "hosted" and options.rows != 0:
        raise UserError(
            f"{there.name}: its model is behind an API, so there is no adapter to compute its "
            "answers from; `--rows 0` audits hashes and scores"
        )


def _recomputed(
    there: Checkout, found: Hashes, seed: int, options: Options
) -> tuple[list[Recomputed], list[str]]:
    """What was computed again, and the tasks of which nothing was, since their files are others."""

    def count(total: int) -> int:
        if options.rows is not None:
            return min(options.rows, total)
        return num_drawn(total, num_edited(total, options.edited), options.probability)

    recomputed, skipped = [], []
    for task in there.tasks:
        if set(checkout.read_by_stages(task)) & set(found.wrong):
            skipped.append(task)
            continue
        recomputed.append(recomputing.scores(there, task, options.tolerance))
    if options.rows != 0:
        checkout.set_machine(there)
        for task in there.tasks:
            if task not in skipped:
                recomputed += recomputing.predictions(
                    there, task, seed, count, options.edited, options.tolerance
                )
    return recomputed, skipped
