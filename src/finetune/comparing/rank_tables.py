"""Rankings as tables for a terminal or a pull request, and as JSON."""

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from finetune.comparing import verdicts
from finetune.comparing.configurations import SEEDS, Configuration, matches
from finetune.comparing.ranking import Entry
from finetune.composition import shown


def table(task: str, entries: Sequence[Entry], usd_per_hour: float | None, style: str) -> str:
    """A row for each configuration, the best first."""
    metric = entries[0].metric
    decimals = max(2, metric.decimals)
    keys = differing([each.configuration for each in entries], task)
    money = ["USD"] if usd_per_hour is not None else []
    headers = ["", "runs", "seeds", *keys, f"{metric.key} [interval]", "p", "min", *money]
    rows = []
    for place, each in enumerate(entries, 1):
        score = f"no answer in {100 * each.no_answer:.3g} %"
        if each.score:
            low, mean, high = (
                f"{value:.{decimals}f}"
                for value in (each.score.low, each.score.mean, each.score.high)
            )
            score = f"{mean} [{low}, {high}]"
            if each.no_answer:
                score += f"; no answer in {100 * each.no_answer:.3g} %"
        mark = "best" if each.is_best else "tie" if each.is_tied else ""
        minutes = each.cost.minutes
        spent = (
            [] if usd_per_hour is None else [_rounded(minutes and minutes / 60 * usd_per_hour, 2)]
        )
        rows.append(
            [
                place,
                each.configuration.name,
                len(each.configuration.runs_of(task)),
                *(shown(each.configuration.first.params.get(key)) for key in keys),
                score,
                "" if each.is_best or not each.score else verdicts.p_text(each.p),
                _rounded(minutes, 2),
                *spent,
                _rounded(each.cost.tokens_per_second, 0),
                "" if each.cost.parameters is None else f"{each.cost.parameters:,.0f}",
                " ".join(filter(None, [mark, "efficient" if each.is_efficient else ""])),
            ]
        )
    headers += ["tokens/s", "parameters", ""]
    title = f"{task}: {metric.title} on {entries[0].rows} validation rows, {metric.direction}"
    heading = "## " if style == "github" else ""
    body = tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)
    return f"{heading}{title}\n\n{body}"


def _rounded(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def differing(compared: Sequence[Configuration], task: str) -> list[str]:
    """The parameters of a task in which configurations differ, each once.

    `train.*` stands in every task's own section; it is shown where the tasks agree.
    """
    keys = dict.fromkeys(key for each in compared for key in each.first.params)
    differing = [
        key
        for key in keys
        if not matches(key, SEEDS)
        and len({repr(each.first.params.get(key)) for each in compared}) > 1
        and (not key.startswith("tasks.") or key.startswith(f"tasks.{task}."))
    ]
    return [
        key
        for key in differing
        if not (key.startswith("train.") and f"tasks.{task}.{key}" in differing)
    ]


def as_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The same as `table`, as JSON."""
    return [
        {
            "runs": [run.name for run in each.configuration.runs],
            "score": each.metric.key,
            "validation": each.score.rounded() if each.score else None,
            "no_answer": each.no_answer,
            "p_adjusted": each.p,
            "is_best": each.is_best,
            "is_tied": each.is_tied,
            "is_efficient": each.is_efficient,
            "minutes": each.cost.minutes,
            "tokens_per_second": each.cost.tokens_per_second,
            "parameters": each.cost.parameters,
        }
        for each in entries
    ]
