"""Configurations by their validation scores: what cannot be told apart, what each costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from finetune.comparing.configurations import Configuration
from finetune.comparing.verdicts import in_order, max_no_answer, primary_metric, unanswered_rate
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json
from finetune.core.schema import Bootstrap
from finetune.scoring import crossed, multiple
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric
from finetune.tasks import registry


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What training a run took, and what came of it; None where its metrics do not say."""

    minutes: float | None
    tokens_per_second: float | None
    parameters: int | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A configuration's primary validation score on a task, best first in a ranking.

    `is_tied`: it cannot be told apart from the best. `is_efficient`: no other has a better score
    for fewer minutes and no more parameters (it is on the Pareto front). `score` is None where the
    model gives no answer too often.
    """

    configuration: Configuration
    metric: Metric
    score: Interval | None
    no_answer: float
    p: float
    is_best: bool
    is_tied: bool
    is_efficient: bool
    cost: Cost


def rank(configurations: Sequence[Configuration], task: str, options: Bootstrap) -> list[Entry]:
    """The configurations by the task's primary score, of validation rows, the best first.

    Each is compared with the best, over rows and seeds, and p-values are Holm-adjusted. The best is
    the best by these very rows, so its score is too good: what it is worth is what test rows say.
    """
    first = configurations[0].first
    key = primary_metric(first, task)
    metric = next(m for m in registry.scores(first.kinds[task]).METRICS if m.key == key)
    ids = [row["id"] for row in first.predictions[task]]
    values = [_values(each, task, metric, ids, options) for each in configurations]
    rates = [unanswered_rate(each, task) for each in configurations]
    limit = max_no_answer(first, task)
    better = 1 if metric.higher_is_better else -1
    answering = [number for number, rate in enumerate(rates) if rate <= limit]
    order = sorted(answering, key=lambda number: -better * float(values[number].mean()))
    costs = [_cost(each, task) for each in configurations]
    p_values = _against_best([values[number] for number in order])
    scores = [better * float(values[number].mean()) for number in order]
    efficient = _efficient(scores, [costs[number] for number in order])
    entries = [
        Entry(
            configuration=configurations[number],
            metric=metric,
            score=_score(configurations[number], task, metric, values[number], options),
            no_answer=rates[number],
            p=p,
            is_best=place == 0,
            is_tied=place > 0 and p >= 1 - options.confidence,
            is_efficient=is_efficient,
            cost=costs[number],
        )
        for place, (number, p, is_efficient) in enumerate(
            zip(order, p_values, efficient, strict=True)
        )
    ]
    silent = [
        Entry(
            configuration=each,
            metric=metric,
            score=None,
            no_answer=rates[number],
            p=1.0,
            is_best=False,
            is_tied=False,
            is_efficient=False,
            cost=costs[number],
        )
        for number, each in enumerate(configurations)
        if number not in answering
    ]
    return [*entries, *silent]


def _score(
    configuration: Configuration, task: str, metric: Metric, values: np.ndarray, options: Bootstrap
) -> Interval:
    """The score with its interval: over rows, and over seeds where there are several."""
    first, *others = configuration.runs_of(task)
    of_one = None if others else metric.interval(first.predictions[task], options)
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


def _against_best(values: Sequence[np.ndarray]) -> list[float]:
    """Holm-adjusted p-values of each one's difference to the first; 1 for the first itself."""
    found = [crossed.difference(values[0], each) for each in values[1:]]
    counted = [each for each in found if each.by_row.any()]
    adjusted = iter(multiple.holm([each.p for each in counted]))
    return [1.0, *(next(adjusted) if each.by_row.any() else 1.0 for each in found)][: len(values)]


def _cost(configuration: Configuration, task: str) -> Cost:
    """The mean over its runs."""
    file = paths.metrics(task, "train").as_posix()
    found = []
    for run in configuration.runs_of(task):
        try:
            found.append(parse_json(run.text(file), f"{run.name}: {file}")[task]["train"])
        except (UserError, KeyError):
            continue
    if not found:
        return Cost(minutes=None, tokens_per_second=None, parameters=None)
    return Cost(
        minutes=fmean(each["run"]["minutes"] for each in found),
        tokens_per_second=fmean(each["run"]["tokens_per_second"] for each in found),
        parameters=found[0]["trainable_parameters"],
    )


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
