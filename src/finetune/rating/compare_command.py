"""`finetune compare A B --ratings …`: which of two runs people prefer."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune import ledger
from finetune.comparing import looks, runs, verdicts
from finetune.comparing.command import note_looks
from finetune.comparing.runs import Run, Split
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap
from finetune.ledger import Look, Side
from finetune.rating import answers, ratings, results, tables
from finetune.rating.ratings import Rating
from finetune.rating.results import Result
from finetune.scoring.metrics import Metric
from finetune.tasks import registry

# A rating with the file and line that it stands on.
Placed = tuple[str, Rating]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to compare: `style` is `simple`, `github` or `json`."""

    style: str = "simple"
    split: Split = "test"
    fail_if_worse: bool = False


def run(root: Path, names: Sequence[str], given: Sequence[Path], options: Options) -> int:
    """Print what the ratings say; returns the exit code.

    Raises:
        UserError: a run cannot be read, or ratings are not of these two runs' answers.
    """
    if len(names) > 2:
        raise UserError(f"--ratings: are of two runs, not of {len(names)}: {', '.join(names)}")
    bootstrap = params.read(root / "params.yaml").bootstrap
    collected = ratings.read(ratings.files(given))
    _check(collected.ratings, options.split, given)
    named = [*names, runs.WORKSPACE] if len(names) == 1 else names
    first, second = (answers.read(root, name, options.split) for name in named)
    tasks = dict.fromkeys(sorted(rating.task for _, rating in collected.ratings))
    of_tasks = {
        task: [each for each in collected.ratings if each[1].task == task] for task in tasks
    }
    measured = [_result(*each, first, second, bootstrap) for each in of_tasks.items()]
    book = ledger.read(root) if options.split == "test" else []
    now = [
        _look(each, first, second, of_tasks[each.task]) for each in measured if each.signs.decided
    ]
    earlier = looks.others(book, now)
    judged = results.judge(measured, earlier, (first.name, second.name), bootstrap.confidence)
    if options.split == "test":
        # Before anything is shown: whoever leaves early (`| head`) has looked.
        note_looks(root, now)
    shown = tables.Shown((first.name, second.name), judged, collected.replaced, len(earlier))
    if options.style == "json":
        print(json.dumps(tables.as_json(shown), indent=2))
    else:
        print(tables.text(shown, bootstrap.confidence, options.style))
    is_worse = any(each.preferred == first.name for each in judged)
    return int(options.fail_if_worse and is_worse)


def _check(collected: Sequence[Placed], split: Split, given: Sequence[Path]) -> None:
    """Check that there are ratings, and of rows of one split.

    Raises:
        UserError: there are none, or of other rows.
    """
    if not collected:
        raise UserError(f"--ratings {given[0]}: holds no rating")
    for where, rating in collected:
        if rating.split != split:
            what = "add --validation" if rating.split == "validation" else "leave out --validation"
            raise UserError(f"{where}: is of {rating.split} rows; {what}")


def _result(
    task: str, of_task: Sequence[Placed], first: Run, second: Run, bootstrap: Bootstrap
) -> Result:
    """What the ratings of a task say.

    Raises:
        UserError: not both runs have it, or not with these answers.
    """
    kind = first.kinds.get(task)
    if kind is None or second.kinds.get(task) != kind:
        raise UserError(f"{of_task[0][0]}: {first.name} and {second.name} do not both have {task}")
    pairs = answers.pairs(task, first, second)
    cast = results.votes(task, pairs, of_task, (first.name, second.name))
    return results.result(
        task,
        cast,
        pairs,
        bootstrap,
        _primary(first, task),
        (first.predictions[task], second.predictions[task]),
        len(of_task) - len(cast),
        {rating.by: rating.rater for _, rating in of_task},
    )


def _primary(run: Run, task: str) -> Metric:
    key = verdicts.primary_metric(run, task)
    return next(each for each in registry.scores(run.kinds[task]).METRICS if each.key == key)


def _look(result: Result, first: Run, second: Run, of_task: Sequence[Placed]) -> Look:
    """What goes into the ledger: with further ratings it is a further look."""
    said = sorted((r.by, r.row, r.left, r.right, r.choice) for _, r in of_task)
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:8]
    before, after = (
        Side(runs=[run.name], predictions=[run.digest(result.task).predictions])
        for run in (first, second)
    )
    return Look(
        task=result.task,
        rows=first.digest(result.task).rows,
        score=f"ratings {digest}",
        before=before,
        after=after,
        difference=round(result.win_rate.mean - 50, 4),
        p=result.signs.p,
    )
