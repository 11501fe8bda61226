"""Paired comparisons of two configurations, score by score, and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from finetune.comparing.comparability import check_comparable
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Row, Run
from finetune.composition import shown
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap
from finetune.scoring import crossed, intervals, multiple, row_values
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric, answered, imputed
from finetune.tasks import registry

# Where a run does not say how many rows may have no answer, as a fraction.
MAX_NO_ANSWER = 0.05
UNDECIDED = "cannot be told apart"
SILENT = "no answer"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A score of a task under two configurations, over the rows in which no answer is imputed.

    `before` and `after` are the scores, means over the runs. `p_adjusted` is the p-value adjusted
    for all that is asked at once, `confidence` the level at which the interval agrees with it: for
    a task's primary score by Holm's method over tasks and configurations, for others by Westfall
    and Young's over the scores of that task. `verdict` is `better` or `worse` where `p_adjusted` is
    significant. `unanswered` are the rates of rows without an answer, before and after;
    `predictions` hashes of those of all runs.
    """

    task: str
    metric: Metric
    is_primary: bool
    before: float
    after: float
    difference: crossed.Difference
    unanswered: tuple[float, float]
    predictions: tuple[str, ...]
    is_silent: bool
    level: float
    p_adjusted: float = 1.0
    confidence: float = 0.95
    verdict: str = UNDECIDED
    detail: str = ""

    @property
    def score(self) -> str:
        """The metric's key."""
        return self.metric.key

    @cached_property
    def p(self) -> float:
        """The p-value before the adjustment.

        Where the difference rests on few rows, the one corrected for skewness if that is larger.
        Not that of a rank test: where one run is wildly wrong in a few rows and a little better in
        all others, as few of the wild ones as were drawn, ranks agree with the error
        (docs/statistics.md).
        """
        if not self.rests_on_few:
            return self.difference.p
        return max(self.difference.p, intervals.p_of_mean(self.difference.by_row))

    @property
    def test(self) -> tuple[str, str, tuple[str, ...]]:
        """What is tested: equal where the same predictions are held against the same others."""
        return self.task, self.score, self.predictions

    @property
    def n(self) -> int:
        return self.difference.rows

    @property
    def interval(self) -> Interval:
        """The difference with the interval at the level at which its p-value was adjusted.

        Zero is outside where the difference is significant.
        """
        student = self.difference.interval(self.confidence)
        if not self.rests_on_few:
            return student
        skewed = intervals.of_mean(self.difference.by_row, self.confidence)
        return Interval(student.mean, min(student.low, skewed.low), max(student.high, skewed.high))

    @property
    def detectable(self) -> float | None:
        """The smallest true difference that this test would have found in 80 % of cases.

        None where no row differs from another, so that nothing says how far rows spread.
        """
        return self.difference.detectable(self.confidence) or None

    @cached_property
    def rests_on_few(self) -> bool:
        """Whether few rows carry most of the variance of the difference; not asked of a rate."""
        varies = self.difference.standard_error > 0 and not self.metric.is_rate
        return varies and crossed.concentration(self.difference.by_row) > crossed.MOST

    @property
    def is_countable(self) -> bool:
        """Whether a test could be significant: some row differs (Tarone 1990), and both answer."""
        return not self.is_silent and bool(self.difference.by_row.any())


def compare(
    reference: Configuration,
    others: Sequence[Configuration],
    options: Bootstrap,
    by_cluster: bool = False,
) -> list[list[Comparison]]:
    """For each of the others its comparisons with the reference over the tasks of both, unjudged.

    With `by_cluster` the tests are over clusters of near-duplicates.

    Raises:
        UserError: two runs predicted other rows, were scored by other rules, or share no task.
    """
    return [
        [
            _comparison(task, metric, reference, other, options, by_cluster)
            for task in _comparable(reference, other)
            for metric in compared_metrics(reference, other, task)
        ]
        for other in others
    ]


def judge(
    compared: Sequence[Sequence[Comparison]], options: Bootstrap, looks: Sequence[float] = ()
) -> list[list[Comparison]]:
    """The comparisons with adjusted p-values and verdicts.

    Holm's method runs over all primary scores, and over `looks`: p-values of earlier comparisons
    on the same rows. A comparison of the same predictions, as where several of the others differ in
    another task, counts once.
    """
    primary = [each for rows in compared for each in rows if each.is_primary and each.is_countable]
    p_values = {each.test: each.p for each in primary}
    every = [*p_values.values(), *looks]
    adjusted = multiple.holm(every)
    confidences = multiple.holm_confidences(every, options.confidence)
    by_holm = dict(zip(p_values, zip(adjusted, confidences, strict=True), strict=False))
    # What is not counted has the widest of these intervals.
    widest = max(confidences, default=options.confidence)
    return [
        [
            _judged(each, *by_holm[each.test] if each.is_countable else (1.0, widest))
            if each.is_primary
            else each
            for each in _with_others_adjusted(rows, options)
        ]
        for rows in compared
    ]


def _with_others_adjusted(rows: Sequence[Comparison], options: Bootstrap) -> list[Comparison]:
    """The comparisons with those of other than primary scores adjusted within each task."""
    judged: dict[int, Comparison] = {}
    for task in dict.fromkeys(each.task for each in rows):
        others = [each for each in rows if each.task == task and not each.is_primary]
        counted = [each for each in others if each.is_countable]
        adjusted, confidence = multiple.westfall_young(
            [each.p for each in counted],
            [each.difference.by_row for each in counted],
            options.confidence,
            options.resamples,
            options.seed,
        )
        judged |= {
            id(each): _judged(each, p, confidence)
            for each, p in zip(counted, adjusted, strict=True)
        }
        judged |= {
            id(each): _judged(each, 1.0, confidence) for each in others if not each.is_countable
        }
    return [judged.get(id(each), each) for each in rows]


def _judged(compared: Comparison, p_adjusted: float, confidence: float) -> Comparison:
    """The comparison with its verdict."""
    compared = replace(compared, p_adjusted=p_adjusted, confidence=confidence)
    if compared.is_silent:
        rates = " and ".join(f"{100 * rate:.3g} %" for rate in compared.unanswered)
        return replace(compared, verdict=SILENT, detail=f"in {rates} of the rows")
    if not compared.difference.by_row.any():
        return replace(compared, detail="no row differs")
    details = []
    is_significant = p_adjusted < 1 - compared.level
    if compared.rests_on_few:
        percent = 100 * crossed.concentration(compared.difference.by_row)
        rank_p = crossed.rank_p(compared.difference.by_row)
        details.append(
            f"rests on few rows: 2 % of them hold {percent:.0f} % of the variance (Wilcoxon's rank "
            f"test: p = {rank_p:.2g})"
        )
    if is_significant:
        is_better = (compared.difference.mean > 0) == compared.metric.higher_is_better
        return replace(
            compared, verdict="better" if is_better else "worse", detail="; ".join(details)
        )
    decimals = max(2, compared.metric.decimals)
    least = compared.detectable
    details.insert(
        0,
        f"would find ±{least:.{decimals}f} in 80 % of cases"
        if least
        else "too few rows: all differ alike",
    )
    return replace(compared, verdict=UNDECIDED, detail="; ".join(details))


def p_text(p: float) -> str:
    """A p-value with four decimals."""
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def primary_metric(run: Run, task: str) -> str:
    """The key of the score that verdicts on a task are about; the kind's first, unless declared.

    Raises:
        UserError: the declared one is no score of the kind, or neither higher nor lower is better.
    """
    metrics = registry.scores(run.kinds[task]).METRICS
    declared = run.params.get(f"tasks.{task}.primary") or metrics[0].key
    known = [metric.key for metric in metrics if metric.higher_is_better is not None]
    if declared not in known:
        raise UserError(
            f"tasks.{task}.primary: is {shown(declared)}, must be one of {', '.join(known)}"
        )
    return str(declared)


def _comparison(
    task: str,
    metric: Metric,
    reference: Configuration,
    other: Configuration,
    options: Bootstrap,
    by_cluster: bool,
) -> Comparison:
    flags = registry.scores(reference.first.kinds[task]).FLAGS
    order = [row["id"] for row in reference.first.predictions[task]]
    sides = [
        [in_order(run.predictions[task], order) for run in configuration.runs_of(task)]
        for configuration in (reference, other)
    ]
    unanswered = (unanswered_rate(reference, task), unanswered_rate(other, task))
    limit = max_no_answer(reference.first, task)
    own = [
        place
        for place in range(len(order))
        if not any(imputed(flags, rows[place]) for side in sides for rows in side)
    ]
    is_silent = max(unanswered) > limit or not own
    # Of silence nothing is compared, but the table still has a line for it.
    kept = range(len(order)) if is_silent else own
    chosen = [[[rows[place] for place in kept] for rows in side] for side in sides]
    before, after = (
        np.stack([metric.row_values(rows, options) for rows in side]) for side in chosen
    )
    scores = (float(before.mean()), float(after.mean()))
    if by_cluster:
        clusters = clusters_of(chosen[0][0], task)
        before, after = (row_values.by_cluster(side, clusters) for side in (before, after))
    return Comparison(
        task=task,
        metric=metric,
        is_primary=metric.key == primary_metric(reference.first, task),
        before=scores[0],
        after=scores[1],
        difference=crossed.difference(before, after, metric.is_rate),
        unanswered=unanswered,
        predictions=tuple(
            sorted(
                run.digest(task).predictions
                for configuration in (reference, other)
                for run in configuration.runs_of(task)
            )
        ),
        is_silent=is_silent,
        level=options.confidence,
    )


def clusters_of(rows: Sequence[Row], task: str) -> list[str]:
    """For each row the cluster of near-duplicates that it belongs to.

    Raises:
        UserError: the run is of a version that did not look for them.
    """
    if not all("cluster" in row for row in rows):
        raise UserError(
            f"--by-cluster: predictions of {task} do not say which rows are near-duplicates; run "
            "`dvc repro` there with this version"
        )
    return [row["cluster"] for row in rows]


def in_order(rows: Sequence[Row], ids: Sequence[str]) -> list[Row]:
    """The rows with these ids, in their order."""
    by_id = {row["id"]: row for row in rows}
    return [by_id[name] for name in ids]


def unanswered_rate(configuration: Configuration, task: str) -> float:
    """The rate of a task's rows without an answer, over all runs, 0 to 1."""
    flags = registry.scores(configuration.first.kinds[task]).FLAGS
    return float(
        np.mean(
            [
                [not answered(flags, row) for row in run.predictions[task]]
                for run in configuration.runs_of(task)
            ]
        )
    )


def max_no_answer(run: Run, task: str) -> float:
    """The rate of rows without an answer above which there is no verdict, 0 to 1."""
    declared = run.params.get(f"tasks.{task}.score.max_no_answer")
    return float(declared) if isinstance(declared, int | float) else MAX_NO_ANSWER


def compared_metrics(before: Configuration, after: Configuration, task: str) -> list[Metric]:
    """The metrics with a better direction, defined alike in the predictions of all runs."""
    first, *further = [*before.runs_of(task), *after.runs_of(task)]
    rows = first.predictions[task]
    return [
        metric
        for metric in registry.scores(first.kinds[task]).METRICS
        if metric.higher_is_better is not None
        and len(rows) >= metric.min_rows
        and all(metric.compares(rows, run.predictions[task]) for run in further)
    ]


def _comparable(reference: Configuration, other: Configuration) -> list[str]:
    """The tasks of both; every run is of the same rows and rules as the reference's first one.

    Raises:
        UserError: some run is not.
    """
    for run in (*reference.runs[1:], *other.runs[1:]):
        check_comparable(reference.first, run)
    return check_comparable(reference.first, other.first)
