"""Paired comparisons of two runs, score by score, and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from finetune.comparing.runs import Run
from finetune.composition import shown
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap
from finetune.scoring import paired
from finetune.scoring.bootstrap import Interval, paired_gain
from finetune.scoring.metrics import Metric
from finetune.tasks import registry


@dataclass(frozen=True)
class Comparison:
    """One score of one task under two runs, over the same `n` rows.

    `difference` is after - before with its interval; `p` is the paired test's p-value, `p_holm` the
    Holm-adjusted one, over all comparisons of one call. `verdict` is `better` or `worse` only if
    `p_holm` is significant and the interval excludes zero.
    """

    task: str
    metric: Metric
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

    @property
    def score(self) -> str:
        """The metric's key."""
        return self.metric.key


def compare(reference: Run, others: Sequence[Run], options: Bootstrap) -> list[list[Comparison]]:
    """For each of the other runs its comparisons with the reference, over the tasks of both.

    P-values are Holm-adjusted. Comparisons in which no row differs do not count: no permutation of
    them could be significant (Tarone 1990).

    Raises:
        UserError: two runs predicted other rows, were scored by other rules, or share no task; or
            for so many comparisons the test has too few resamples for any significant result.
    """
    pairs = [
        (other, task, metric)
        for other in others
        for task in check_comparable(reference, other)
        for metric in compared_metrics(reference, other, task)
    ]
    columns = [_columns(task, metric, reference, other) for other, task, metric in pairs]
    countable = [number for number, (old, new) in enumerate(columns) if old != new]
    level = 1 - options.confidence
    # The smallest p-value that so many resamples can give must be significant after the adjustment.
    if len(countable) / (options.resamples + 1) >= level:
        raise UserError(
            f"bootstrap.resamples: {options.resamples} are too few for a significant result in "
            f"{len(countable)} comparisons at {options.confidence:g}; set more than "
            f"{len(countable) / level:.0f} in conf/config.yaml"
        )
    corrected_confidence = 1 - level / max(1, len(countable))
    compared = [
        _compare_metric(task, metric, reference, other, values, options, corrected_confidence)
        for (other, task, metric), values in zip(pairs, columns, strict=True)
    ]
    adjusted = paired.holm([compared[number].p for number in countable])
    for number, p in zip(countable, adjusted, strict=True):
        compared[number] = replace(compared[number], p_holm=p)
    judged = [_with_verdict(each, level) for each in compared]
    return [
        [each for each, (owner, _, _) in zip(judged, pairs, strict=True) if owner is other]
        for other in others
    ]


def compared_metrics(before: Run, after: Run, task: str) -> list[Metric]:
    """The metrics with a better direction, defined alike in the predictions of both runs."""
    return [
        metric
        for metric in registry.scores(before.kinds[task]).METRICS
        if metric.higher_is_better is not None
        and metric.compares(before.predictions[task], after.predictions[task])
    ]


def incomparable_scores(before: Run, after: Run) -> list[str]:
    """The scores that both runs have, but defined differently, such as `samsum perplexity`."""
    return [
        f"{task} {metric.key}"
        for task, kind in before.kinds.items()
        if after.kinds.get(task) == kind
        for metric in registry.scores(kind).METRICS
        if all(metric.is_of(run.predictions[task]) for run in (before, after))
        and not metric.compares(before.predictions[task], after.predictions[task])
    ]


def scores_of_one(before: Run, after: Run) -> list[str]:
    """The scores that only one of the two runs has, such as those that are newer than the other."""
    return [
        f"{task} {metric.key}"
        for task, kind in before.kinds.items()
        if after.kinds.get(task) == kind
        for metric in registry.scores(kind).METRICS
        if metric.higher_is_better is not None
        and metric.is_of(before.predictions[task]) != metric.is_of(after.predictions[task])
    ]


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
        _check_rows(task, before, after)
        _check_scoring(task, before, after)
    return tasks


def _check_rows(task: str, before: Run, after: Run) -> None:
    # Predictions of earlier versions lack the hash of the input.
    both = (before.predictions[task], after.predictions[task])
    has_hashes = all("input_hash" in row for rows in both for row in rows)
    rows = [
        {
            row["id"]: (
                row.get("references", row["reference"]),
                row["input_hash"] if has_hashes else None,
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
        # The rate above which nothing is scored changes no row's score.
        if key.startswith(f"tasks.{task}.score.") and not key.endswith(".max_no_answer"):
            raise UserError(
                f"{task}: {before.name} and {after.name} are scored by different rules: "
                f"{key} is {shown(old)} and {shown(new)}; run one of them again with the other's"
            )


# A metric's columns under two runs, over the same rows in the same order.
Columns = tuple[list[list[float]], list[list[float]]]


def _columns(task: str, metric: Metric, before: Run, after: Run) -> Columns:
    order = {row["id"]: row for row in after.predictions[task]}
    old = metric.values(before.predictions[task])
    return old, metric.values([order[row["id"]] for row in before.predictions[task]])


def _compare_metric(
    task: str,
    metric: Metric,
    before: Run,
    after: Run,
    columns: Columns,
    options: Bootstrap,
    corrected_confidence: float,
) -> Comparison:
    """`corrected_confidence` is that of a single comparison, corrected for their number."""
    old, new = columns
    difference = paired_gain(old, new, options, metric.statistic)
    rows = len(old[0])
    return Comparison(
        task=task,
        metric=metric,
        before_name=before.name,
        after_name=after.name,
        before=float(metric.statistic(*map(np.asarray, old), axis=-1)),
        after=float(metric.statistic(*map(np.asarray, new), axis=-1)),
        difference=difference,
        p=paired.p_value(old, new, options, metric.statistic),
        n=rows,
        rows_needed=paired.rows_needed(difference, rows, options.confidence, corrected_confidence),
    )


def _with_verdict(compared: Comparison, level: float) -> Comparison:
    """The comparison with its verdict at a significance level."""
    interval = compared.difference
    if compared.p_holm < level and not interval.low <= 0 <= interval.high:
        is_better = (interval.mean > 0) == compared.metric.higher_is_better
        return replace(compared, verdict="better" if is_better else "worse")
    detail = f"at n = {compared.n}"
    if compared.rows_needed is not None and compared.rows_needed > compared.n:
        needed = float(f"{compared.rows_needed:.2g}")
        detail += f"; about n = {needed:,.0f} would be needed to see a difference this small"
    return replace(compared, verdict="cannot be told apart", detail=detail)
