"""Scores of groups of rows: where a model is good and where it is bad, and where it is silent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finetune.core.schema import Bootstrap
from finetune.scoring.metrics import (
    NO_ANSWER,
    Flag,
    Group,
    Grouping,
    Metric,
    Prediction,
    Row,
    answered,
)
from finetune.scoring.summary import is_silent

# Of fewer rows a 95 % interval of skewed errors holds far less often than that, so there is none.
MIN_ROWS = 10


def table(
    groupings: Sequence[Grouping],
    metrics: Sequence[Metric],
    flags: Sequence[Flag],
    rows: Sequence[Row],
    models: Mapping[str, Sequence[Prediction]],
    options: Bootstrap,
    max_no_answer: float,
) -> Iterator[dict[str, Any]]:
    """A row for each group and model: `by`, `group`, `model`, `rows`, and the group's scores.

    `models` are the models' predictions for `rows`, in their order. Metrics and flags are those
    that are `in_groups`, the first with an interval. Bands come in their order, other groups by
    their name. Where a model as a whole, or in a group, has no answer in a larger fraction of the
    rows than `max_no_answer`, it has no scores there; `no_answer_rate` stands beside all others.
    """
    every = [row for predictions in models.values() for row in predictions]
    may_be_silent = any(flag.is_no_answer and flag.key in row for flag in flags for row in every)
    silent = {name: is_silent(flags, of, max_no_answer) for name, of in models.items()}
    shown = [metric for metric in metrics if metric.in_groups and metric.is_of(every)]
    shown = shown or [*metrics[:1]]
    first = shown[0]
    for grouping in groupings:
        members: dict[Group, list[int]] = {}
        for number, row in enumerate(rows):
            members.setdefault(grouping.group(row), []).append(number)
        for (_, group), places in sorted(members.items()):
            for model, predictions in models.items():
                chosen = [predictions[place] for place in places]
                has_scores = not (silent[model] or is_silent(flags, chosen, max_no_answer))
                scores = {
                    metric.key: round(metric.score(chosen), 4)
                    if has_scores and any(map(metric.counts, chosen))
                    else None
                    for metric in shown
                }
                ends: dict[str, Any] = {f"{first.key}_low": None, f"{first.key}_high": None}
                of_group = None
                if scores[first.key] is not None and len(chosen) >= MIN_ROWS:
                    of_group = first.interval(chosen, options)
                if of_group:
                    interval = of_group.rounded()
                    ends = {f"{first.key}_{end}": interval[end] for end in ("low", "high")}
                counts = {
                    flag.key: sum(bool(row.get(flag.key)) for row in chosen)
                    for flag in flags
                    if flag.in_groups
                }
                if may_be_silent:
                    counts[NO_ANSWER.key] = sum(not answered(flags, row) for row in chosen)
                for key, count in counts.items():
                    scores[f"{key}_rate"] = round(100 * count / len(chosen), 4)
                names = {"by": grouping.name, "group": group, "model": model, "rows": len(chosen)}
                yield {**names, **scores, **ends}
