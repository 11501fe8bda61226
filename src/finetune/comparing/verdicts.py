"""Paired comparisons of two runs, score by score, and what they say in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from finetune.comparing.runs import Run
from finetune.composition import shown
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap
from finetune.scoring import paired
from finetune.scoring.bootstrap import Interval, paired_gain
from finetune.tasks.scores import METRICS


@dataclass(frozen=True)
class Comparison:
    """One score of one task under two runs, over the same `n` rows.

    `difference` is after - before with its interval; `p` is the paired test's, `p_holm` the same
    corrected for all that is compared in one call. `verdict` follows `p_holm` and the interval: a
    difference is called one only where both show it.
    """

    task: str
    score: str
    higher_is_better: bool
    before_name: str
    after_name: str
    before: float
    after: float
    difference: Interval
    p: float
    n: int
    rows_needed: int | None
    p_holm: float = 1.0
    verdict: str = ""
    detail: str = ""


def compare(reference: Run, others: Sequence[Run], options: Bootstrap) -> list[list[Comparison]]:
    """For each of the others its comparisons with the reference, over all tasks that both have.

    P-values are corrected for the number of comparisons. Those in which no row differs do not
    count: swapping rows' sides could never make a find of them (Tarone 1990).

    Raises:
        UserError: two did not predict the same rows, were not scored alike, or share no task; or so
            much is compared that the test has too few draws to find anything.
    """
    pairs = [
        (other, task, score)
        for other in others
        for task in check_comparable(reference, other)
        for score in compared_scores(reference, other, task)
    ]
    columns = [_columns(task, score, reference, other) for other, task, score in pairs]
    counting = [number for number, (old, new) in enumerate(columns) if old != new]
    level = 1 - options.confidence
    # The smallest p-value that so many draws can give, after the correction, must not hide a find.
    if len(counting) / (options.resamples + 1) >= level:
        raise UserError(
            f"bootstrap.resamples: {options.resamples} are too few to tell anything apart in "
            f"{len(counting)} comparisons at {options.confidence:g}; set more than "
            f"{len(counting) / level:.0f} in conf/config.yaml"
        )
    single = 1 - level / max(1, len(counting))
    found = [
        _one(task, score, reference, other, values, options, single)
        for (other, task, score), values in zip(pairs, columns, strict=True)
    ]
    corrected = paired.holm([found[number].p for number in counting])
    for number, p in zip(counting, corrected, strict=True):
        found[number] = replace(found[number], p_holm=p)
    judged = [_judged(each, level) for each in found]
    return [
        [each for each, (owner, _, _) in zip(judged, pairs, strict=True) if owner is other]
        for other in others
    ]


def compared_scores(before: Run, after: Run, task: str) -> list[str]:
    """The scores that are better one way, and that mean the same in the predictions of both."""
    return [
        name
        for name, metric in METRICS[before.kinds[task]].items()
        if metric.higher_is_better is not None
        and metric.compares(before.predictions[task], after.predictions[task])
    ]


def incomparable_scores(before: Run, after: Run) -> list[str]:
    """The scores that both have and that mean something else in each: `samsum perplexity`."""
    return [
        f"{task} {name}"
        for task, kind in before.kinds.items()
        if after.kinds.get(task) == kind
        for name, metric in METRICS[kind].items()
        if all(metric.is_of(run.predictions[task]) for run in (before, after))
        and not metric.compares(before.predictions[task], after.predictions[task])
    ]


def lacking(reference: Run, other: Run) -> list[str]:
    """The tasks of the reference that the other does not have, or has as another kind."""
    return [task for task, kind in reference.kinds.items() if other.kinds.get(task) != kind]


def changed_params(before: Run, after: Run) -> dict[str, tuple[object, object]]:
    """The parameters that differ, by key; None where one of the two lacks it."""
    keys = dict.fromkeys([*before.params, *after.params])
    pairs = {key: (before.params.get(key), after.params.get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if repr(pair[0]) != repr(pair[1])}


def check_comparable(before: Run, after: Run) -> list[str]:
    """The tasks that both have.

    Raises:
        UserError: none, or one with other rows or other scoring rules.
    """
    tasks = [task for task in before.kinds if task not in lacking(before, after)]
    if not tasks:
        raise UserError(f"{before.name} and {after.name} have no task in common")
    for task in tasks:
        _check_rows(task, before, after)
        _check_scoring(task, before, after)
    return tasks


def _check_rows(task: str, before: Run, after: Run) -> None:
    # Predictions of earlier versions do not say what was asked.
    both = (before.predictions[task], after.predictions[task])
    told = all("input_hash" in row for rows in both for row in rows)
    rows = [
        {
            row["id"]: (
                row.get("references", row["reference"]),
                row["input_hash"] if told else None,
            )
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
        if key.startswith(f"tasks.{task}.score."):
            raise UserError(
                f"{task}: {before.name} and {after.name} are scored by different rules: "
                f"{key} is {shown(old)} and {shown(new)}; run one of them again with the other's"
            )


# A metric's columns under two runs, over the same rows in the same order.
Columns = tuple[list[list[float]], list[list[float]]]


def _columns(task: str, score: str, before: Run, after: Run) -> Columns:
    metric = METRICS[before.kinds[task]][score]
    order = {row["id"]: row for row in after.predictions[task]}
    old = metric.values(before.predictions[task])
    return old, metric.values([order[row["id"]] for row in before.predictions[task]])


def _one(
    task: str,
    score: str,
    before: Run,
    after: Run,
    columns: Columns,
    options: Bootstrap,
    single: float,
) -> Comparison:
    """`single` is the confidence that this comparison, one of many, must reach by itself."""
    metric = METRICS[before.kinds[task]][score]
    old, new = columns
    difference = paired_gain(old, new, options, metric.statistic)
    rows = len(old[0])
    return Comparison(
        task=task,
        score=score,
        higher_is_better=metric.higher_is_better,
        before_name=before.name,
        after_name=after.name,
        before=float(metric.statistic(*map(np.asarray, old), axis=-1)),
        after=float(metric.statistic(*map(np.asarray, new), axis=-1)),
        difference=difference,
        p=paired.p_value(old, new, options, metric.statistic),
        n=rows,
        rows_needed=paired.rows_needed(difference, rows, options.confidence, single),
    )


def _judged(found: Comparison, level: float) -> Comparison:
    ends = found.difference
    if found.p_holm < level and not ends.low <= 0 <= ends.high:
        is_better = (found.difference.mean > 0) == found.higher_is_better
        return replace(found, verdict="better" if is_better else "worse")
    detail = f"at n = {found.n}"
    if found.rows_needed is not None and found.rows_needed > found.n:
        needed = float(f"{found.rows_needed:.2g}")
        detail += f"; about n = {needed:,.0f} would be needed to see a difference this small"
    return replace(found, verdict="cannot be told apart", detail=detail)
