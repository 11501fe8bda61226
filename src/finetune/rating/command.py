"""`finetune rate A B`: a page on which people say whose answers are better."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.comparing import verdicts
from finetune.comparing.runs import Run, Split
from finetune.core.errors import UserError
from finetune.core.files import write_text
from finetune.rating import answers, page
from finetune.rating.kind_rating import KindRating
from finetune.scoring import summary
from finetune.scoring.metrics import answered
from finetune.tasks import registry

FOLDER = Path("ratings")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is rated: so many `rows` of a task of both runs, all others of which are left out.

    Without a `seed` rows and sides come from the operating system, and nobody can draw them again.
    """

    task: str | None = None
    rows: int = 50
    out: Path | None = None
    split: Split = "test"
    references: bool = False
    seed: int | None = None


def run(root: Path, names: Sequence[str], options: Options) -> int:
    """Write the page, and say what is in it; returns the exit code.

    Raises:
        UserError: a run cannot be read or has no answers, or there is nothing to rate.
    """
    if options.rows < 1:
        raise UserError(f"--rows {options.rows}: must be 1 or more")
    first, second = (answers.read(root, name, options.split) for name in names)
    task = _task(first, second, options.task)
    _check_answers(task, first, second)
    pairs = answers.pairs(task, first, second)
    different = [pair for pair in pairs if not pair.is_same]
    if not different:
        raise UserError(
            f"{task}: {first.name} and {second.name} answer all {len(pairs)} rows alike: there is "
            "nothing to rate"
        )
    texts = answers.inputs(root, task, options.split, (first, second))
    rating = registry.rating(first.kinds[task]) or KindRating()
    unit = answers.unit(rating, task, first)
    # A seed on the page's command line is known to whoever made it, and to no rater.
    rng = random.SystemRandom() if options.seed is None else random.Random(options.seed)
    items = [
        page.item(pair, is_first_left, texts[pair.row], unit, options.references)
        for pair, is_first_left in page.draw(different, options.rows, rng)
    ]
    out = root / (options.out or FOLDER / f"{task}.html")
    write_text(out, page.html(task, options.split, rating, items))
    same = len(pairs) - len(different)
    print(
        f"{out}: {len(items)} of {len(pairs)} {options.split} rows of {task}; left out: {same} "
        f"that both answer alike, {len(different) - len(items)} that were not drawn\n"
        "It holds texts of the data: whoever gets it must be allowed to see them.\n"
        "Each rater opens it in a browser, rates, and saves a file; all files together say which "
        f"is preferred:\nfinetune compare {names[0]} {names[1]} --ratings FILE …"
        f"{' --validation' if options.split == 'validation' else ''}"
    )
    return 0


def _check_answers(task: str, *sides: Run) -> None:
    """Check that both runs answer: who prefers any answer to none says nothing of either.

    Raises:
        UserError: more rows of one have no answer than `score.max_no_answer` allows.
    """
    for run in sides:
        flags, rows = registry.scores(run.kinds[task]).FLAGS, run.predictions[task]
        if summary.is_silent(flags, rows, verdicts.max_no_answer(run, task)):
            missing = sum(not answered(flags, row) for row in rows)
            raise UserError(
                f"{task}: {run.name} has no answer in {missing} of {len(rows)} rows: there is "
                f"nothing to rate (tasks.{task}.score.max_no_answer says how many may be missing)"
            )


def _task(first: Run, second: Run, wanted: str | None) -> str:
    """The task to rate: the one that was asked for, or the only one.

    Raises:
        UserError: the runs have no such task in common, or several.
    """
    both = [task for task, kind in first.kinds.items() if second.kinds.get(task) == kind]
    if wanted is None and len(both) == 1:
        return both[0]
    if wanted in both and wanted is not None:
        return wanted
    listed = ", ".join(both) or "none"
    what = "which task? Say it by --task" if wanted is None else f"--task {wanted}: no such task"
    raise UserError(f"{what}; {first.name} and {second.name} have in common: {listed}")
