"""What two runs have in common, and what keeps them, or a score of theirs, from comparison."""

from collections.abc import Iterator

from finetune.comparing.runs import Run
from finetune.composition import shown
from finetune.core.errors import UserError
from finetune.scoring.metrics import Metric
from finetune.shelf.rows import reference_hash
from finetune.tasks import registry


def incomparable_scores(before: Run, after: Run) -> list[str]:
    """The scores that both runs have, but defined differently, such as `samsum perplexity`."""
    return [
        f"{task} {metric.key}"
        for task, metric in _shared_metrics(before, after)
        if all(metric.is_of(run.predictions[task]) for run in (before, after))
        and not metric.compares(before.predictions[task], after.predictions[task])
    ]


def scores_of_one(before: Run, after: Run) -> list[str]:
    """The scores that only one of the two runs has, such as those that are newer than the other."""
    return [
        f"{task} {metric.key}"
        for task, metric in _shared_metrics(before, after)
        if metric.higher_is_better is not None
        and metric.is_of(before.predictions[task]) != metric.is_of(after.predictions[task])
    ]


def scores_of_few_rows(before: Run, after: Run) -> list[str]:
    """The scores that both runs have, but of fewer rows than their intervals take."""
    return [
        f"{task} {metric.key} (of {len(before.predictions[task])} rows, takes {metric.min_rows})"
        for task, metric in _shared_metrics(before, after)
        if len(before.predictions[task]) < metric.min_rows
        and metric.compares(before.predictions[task], after.predictions[task])
    ]


def _shared_metrics(before: Run, after: Run) -> Iterator[tuple[str, Metric]]:
    """The metrics of each task that both runs have, of the same kind."""
    for task, kind in before.kinds.items():
        if after.kinds.get(task) == kind:
            yield from ((task, metric) for metric in registry.scores(kind).METRICS)


def lacking(reference: Run, other: Run) -> list[str]:
    """The tasks of the reference that the other run lacks, or has with another kind."""
    return [task for task, kind in reference.kinds.items() if other.kinds.get(task) != kind]


def changed_params(before: Run, after: Run) -> dict[str, tuple[object, object]]:
    """The parameters that differ, by key; None where one of the two lacks it."""
    keys = dict.fromkeys([*before.params, *after.params])
    pairs = {key: (before.params.get(key), after.params.get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if repr(pair[0]) != repr(pair[1])}


def check_comparable(before: Run, after: Run) -> list[str]:
    """The tasks that both runs have.

    Raises:
        UserError: there is none, or one has other rows or other scoring rules.
    """
    tasks = [task for task in before.kinds if task not in lacking(before, after)]
    if not tasks:
        raise UserError(f"{before.name} and {after.name} have no task in common")
    for task in tasks:
        check_task(task, before, after)
    return tasks


def check_task(task: str, before: Run, after: Run) -> None:
    """Check that two runs that have a task were tested on the same rows by the same rules.

    Raises:
        UserError: they were not.
    """
    check_rows(task, before, after)
    _check_scoring(task, before, after)


def check_rows(task: str, before: Run, after: Run) -> None:
    """Check that two runs that have a task were tested on the same rows.

    Raises:
        UserError: they were not.
    """
    # Predictions of earlier versions lack the hash of the input.
    both = (before.predictions[task], after.predictions[task])
    has_hashes = all("input_hash" in row for rows in both for row in rows)
    rows = [
        {
            row["id"]: (reference_hash(row), row["input_hash"] if has_hashes else None)
            for row in predictions
        }
        for predictions in both
    ]
    if rows[0] == rows[1]:
        return
    shared = sum(rows[1].get(name) == reference for name, reference in rows[0].items())
    changed = [key for key in changed_params(before, after) if key.startswith("data.")]
    why = f" ({', '.join(changed)} differ)" if changed else ""
    raise UserError(
        f"{task}: {before.name} and {after.name} were tested on different rows: {len(rows[0])} and "
        f"{len(rows[1])}, {shared} of them the same{why}; run one of them again on the other's data"
    )


def _check_scoring(task: str, before: Run, after: Run) -> None:
    for key, (old, new) in changed_params(before, after).items():
        # The rate above which nothing is scored changes no row's score.
        if key.startswith(f"tasks.{task}.score.") and not key.endswith(".max_no_answer"):
            raise UserError(
                f"{task}: {before.name} and {after.name} are scored by different rules: "
                f"{key} is {shown(old)} and {shown(new)}; run one of them again with the other's"
            )
