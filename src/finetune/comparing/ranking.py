"""Configurations by their validation scores: what cannot be told apart, what each costs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np

from finetune.comparing.comparability import check_task
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Run
from finetune.comparing.verdicts import in_order, max_no_answer, primary_metric, unanswered_rate
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json
from finetune.core.schema import Bootstrap
from finetune.scoring import crossed, multiple
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric, imputed, in_units
from finetune.tasks import registry

# Resamples for the ties among many: pairs grow with the square of their number.
PAIR_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What training a run took, and what came of it; None where its metrics do not say."""

    minutes: float | None
    tokens_per_second: float | None
    parameters: float | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A configuration's primary score of `rows` validation rows of a task, best first in a ranking.

    `is_tied`: it cannot be told apart from the best. `is_efficient`: no other has a better score
    for fewer minutes and no more parameters (it is on the Pareto front). `score` is None where the
    model gives no answer too often.
    """

    configuration: Configuration
    metric: Metric
    rows: int
    no_answer: float
    cost: Cost
    score: Interval | None = None
    p: float = 1.0
    is_best: bool = False
    is_tied: bool = False
    is_efficient: bool = False


def rank(configurations: Sequence[Configuration], task: str, options: Bootstrap) -> list[Entry]:
    """The configurations by the task's primary score, of validation rows, the best first.

    Over the rows in which no answer of any of them is imputed. Each is compared with the best, over
    rows and seeds; as the best was chosen by these rows, p-values are adjusted for all pairs. Its
    score is too good for the same reason: what it is worth is what test rows say.

    Raises:
        UserError: there are too few rows for the score.
    """
    first = configurations[0].first
    metric = primary(first, task)
    limit = max_no_answer(first, task)
    rates = {id(each): unanswered_rate(each, task) for each in configurations}
    answering = [each for each in configurations if rates[id(each)] <= limit]
    ids = _answered_ids(answering, task)
    if answering and (len(ids) < metric.min_rows or not ids):
        raise UserError(
            f"{task}: {len(ids)} validation rows are too few for {metric.key}, which needs "
            f"{metric.min_rows}; name another score in tasks.{task}.primary"
        )
    better = 1 if metric.higher_is_better else -1
    values = {id(each): _values(each, task, metric, ids, options) for each in answering}
    best_first = sorted(answering, key=lambda each: -better * float(values[id(each)].mean()))
    costs = {id(each): _cost(each, task) for each in configurations}
    p_values = _against_first([values[id(each)] for each in best_first], metric.is_rate, options)
    efficient = _efficient(
        [better * float(values[id(each)].mean()) for each in best_first],
        [costs[id(each)] for each in best_first],
    )
    entries = [
        Entry(
            configuration=each,
            metric=metric,
            rows=len(ids),
            score=_score(each, task, metric, ids, options),
            no_answer=rates[id(each)],
            p=p,
            is_best=place == 0,
            is_tied=place > 0 and p >= 1 - options.confidence,
            is_efficient=is_efficient,
            cost=costs[id(each)],
        )
        for place, (each, p, is_efficient) in enumerate(
            zip(best_first, p_values, efficient, strict=True)
        )
    ]
    silent = [
        Entry(
            configuration=each,
            metric=metric,
            rows=len(ids),
            no_answer=rates[id(each)],
            cost=costs[id(each)],
        )
        for each in configurations
        if each not in answering
    ]
    return [*entries, *silent]


def primary(run: Run, task: str) -> Metric:
    """The metric that a task is ranked by, in the unit of the run's own parameters."""
    key = primary_metric(run, task)
    metrics = in_units(
        registry.scores(run.kinds[task]).METRICS,
        lambda param: run.params.get(f"tasks.{task}.prompt.{param}"),
    )
    return next(metric for metric in metrics if metric.key == key)


def groups(runs: Sequence[Run], task: str) -> list[list[Run]]:
    """The runs that have a task, by what they can be compared on: rows, rules and primary score."""
    grouped: list[list[Run]] = []
    for run in runs:
        if task not in run.kinds:
            continue
        fitting = (group for group in grouped if _is_comparable(task, group[0], run))
        if group := next(fitting, None):
            group.append(run)
        else:
            grouped.append([run])
    return grouped


def _is_comparable(task: str, before: Run, after: Run) -> bool:
    if before.kinds[task] != after.kinds[task]:
        return False
    try:
        check_task(task, before, after)
    except UserError:
        return False
    return primary(before, task).compares(before.predictions[task], after.predictions[task])


def of_task(run: Run, task: str) -> Run:
    """The run as far as one task goes: others set no configurations of this one apart."""
    others = tuple(f"tasks.{name}." for name in run.kinds if name != task)
    return replace(
        run,
        params={key: value for key, value in run.params.items() if not key.startswith(others)},
        kinds={task: run.kinds[task]},
        predictions={task: run.predictions[task]},
        code=frozenset(each for each in run.code if each[0].partition("@")[2] == task),
        digests={task: run.digest(task)},
    )


def _answered_ids(configurations: Sequence[Configuration], task: str) -> list[str]:
    """The ids of the rows in which no run's answer is imputed."""
    if not configurations:
        return []
    first = configurations[0].first
    flags = registry.scores(first.kinds[task]).FLAGS
    out = {
        row["id"]
        for each in configurations
        for run in each.runs_of(task)
        for row in run.predictions[task]
        if imputed(flags, row)
    }
    return [row["id"] for row in first.predictions[task] if row["id"] not in out]


def _score(
    configuration: Configuration, task: str, metric: Metric, ids: Sequence[str], options: Bootstrap
) -> Interval:
    """The score with its interval: over rows, and over seeds where there are several."""
    first, *others = configuration.runs_of(task)
    of_one = None
    if not others:
        of_one = metric.interval(in_order(first.predictions[task], ids), options)
    values = _values(configuration, task, metric, ids, options)
    return of_one or crossed.score(values).interval(options.confidence)


def _values(
    configuration: Configuration, task: str, metric: Metric, ids: Sequence[str], options: Bootstrap
) -> np.ndarray:
    """Row values [seeds, rows]."""
    return np.stack(
        [
            metric.row_values(in_order(run.predictions[task], ids), options)
            for run in configuration.runs_of(task)
        ]
    )


def _against_first(values: Sequence[np.ndarray], is_rate: bool, options: Bootstrap) -> list[float]:
    """p-values of each one's difference to the first, adjusted for all pairs; 1 for the first."""
    pairs = [
        (one, other, crossed.difference(values[one], values[other], is_rate))
        for one in range(len(values))
        for other in range(one + 1, len(values))
    ]
    counted = [pair for pair in pairs if pair[2].by_row.any()]
    adjusted, _ = multiple.westfall_young(
        [pair[2].p for pair in counted],
        [pair[2].by_row for pair in counted],
        options.confidence,
        min(options.resamples, PAIR_RESAMPLES),
        options.seed,
    )
    to_first = {other: p for (one, other, _), p in zip(counted, adjusted, strict=True) if one == 0}
    return [to_first.get(number, 1.0) for number in range(len(values))]


def _cost(configuration: Configuration, task: str) -> Cost:
    """The mean over its runs; None for what their metrics do not say."""
    file = paths.metrics(task, "train").as_posix()
    runs: list[dict[str, Any]] = []
    for run in configuration.runs_of(task):
        try:
            runs.append(parse_json(run.text(file), f"{run.name}: {file}")[task]["train"])
        except (UserError, KeyError, TypeError):
            continue
    return Cost(
        minutes=_mean(of.get("run", {}).get("minutes") for of in runs),
        tokens_per_second=_mean(of.get("run", {}).get("tokens_per_second") for of in runs),
        parameters=_mean(of.get("trainable_parameters") for of in runs),
    )


def _mean(numbers: Iterable[object]) -> float | None:
    known = [number for number in numbers if isinstance(number, int | float)]
    return fmean(known) if known else None


def _efficient(scores: Sequence[float], costs: Sequence[Cost]) -> list[bool]:
    """Whether no other is at least as good in score, minutes and size, and better in one."""
    points = [
        (score, -cost.minutes, -cost.parameters)
        for score, cost in zip(scores, costs, strict=True)
        if cost.minutes is not None and cost.parameters is not None
    ]
    return [
        cost.minutes is not None
        and cost.parameters is not None
        and not any(
            other != (point := (score, -cost.minutes, -cost.parameters))
            and all(theirs >= ours for theirs, ours in zip(other, point, strict=True))
            for other in points
        )
        for score, cost in zip(scores, costs, strict=True)
    ]
