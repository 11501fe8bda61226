"""Scores of groups of rows: where a model is good and where it is bad."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finetune.core.schema import Bootstrap
from finetune.scoring.metrics import Flag, Group, Grouping, Metric, Prediction, Row

# Of fewer rows the bootstrap's 95 % interval holds far less often than that (of 5, in 76 % of
# draws from a log-normal distribution), so there is none.
MIN_ROWS = 10


def table(
    groupings: Sequence[Grouping],
    metrics: Sequence[Metric],
    flags: Sequence[Flag],
    rows: Sequence[Row],
    models: Mapping[str, Sequence[Prediction]],
    options: Bootstrap,
) -> Iterator[dict[str, Any]]:
    """A row for each group and model: `by`, `group`, `model`, `rows`, and the group's scores.

    `models` are the models' predictions for `rows`, in their order. Metrics and flags are those
    that are `in_groups`, the first with an interval. Bands come in their order, other groups by
    their name.
    """
    every = [row for predictions in models.values() for row in predictions]
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
                scores = {metric.key: round(metric.score(chosen), 4) for metric in shown}
                ends: dict[str, Any] = {f"{first.key}_low": None, f"{first.key}_high": None}
                if len(chosen) >= MIN_ROWS and (of_group := first.interval(chosen, options)):
                    interval = of_group.rounded()
                    ends = {f"{first.key}_{end}": interval[end] for end in ("low", "high")}
                for flag in flags:
                    if flag.in_groups:
                        count = sum(bool(row.get(flag.key)) for row in chosen)
                        scores[f"{flag.key}_rate"] = round(100 * count / len(chosen), 4)
                names = {"by": grouping.name, "group": group, "model": model, "rows": len(chosen)}
                yield {**names, **scores, **ends}
