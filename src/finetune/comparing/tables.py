"""Comparisons as tables for a terminal or a pull request, and as JSON."""

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from finetune.comparing.runs import Run
from finetune.comparing.seeds import Configuration, Difference, Spread
from finetune.comparing.verdicts import (
    Comparison,
    changed_params,
    incomparable_scores,
    lacking,
    scores_of_one,
)
from finetune.composition import shown
from finetune.scoring.metrics import Metric

Changes = dict[str, tuple[object, object]]


def comparisons(
    reference: Run,
    others: Sequence[Run],
    compared: Sequence[Sequence[Comparison]],
    confidence: float,
    style: str,
) -> str:
    """For each of the other runs its changed parameters and a table with a row for each score.

    `style` is tabulate's: `simple` for a terminal, `github` for Markdown.
    """
    parts = []
    for other, rows in zip(others, compared, strict=True):
        parts.append(f"{'## ' if style == 'github' else ''}{reference.name} → {other.name}")
        parts.append(_changes(changed_params(reference, other), style))
        missing = lacking(reference, other)
        if missing:
            parts.append(f"Not compared, because {other.name} lacks it: {', '.join(missing)}.")
        parts += _left_out([reference, other])
        table = [
            [
                each.task,
                each.score,
                _number(each.before, decimals),
                _number(each.after, decimals),
                f"{_number(each.difference.mean, decimals, '+')} "
                f"[{_number(each.difference.low, decimals, '+')}, "
                f"{_number(each.difference.high, decimals, '+')}]",
                f"{each.p:.4f}",
                f"{each.p_holm:.4f}",
                each.n,
                f"{each.verdict} {each.detail}".strip(),
            ]
            for each in rows
            for decimals in [_decimals(each.metric)]
        ]
        interval = f"difference [{100 * confidence:g} %]"
        headers = ["task", "score", reference.name, other.name, interval, "p", "p (Holm)", "rows"]
        parts.append(
            tabulate(table, headers=[*headers, "verdict"], tablefmt=style, disable_numparse=True)
        )
    parts.append(
        "Intervals are not corrected for multiple comparisons. A verdict requires one without zero "
        "and a small p (Holm), which is Holm-adjusted for all comparisons shown here."
    )
    return "\n\n".join(parts)


def _left_out(runs: Sequence[Run]) -> list[str]:
    """A sentence for each reason why scores are not compared with the first run's."""
    first, *others = runs
    reasons = {
        "because tokens are not the same": incomparable_scores,
        "because only one of the runs has it": scores_of_one,
    }
    scores = {
        why: dict.fromkeys(score for run in others for score in left_out(first, run))
        for why, left_out in reasons.items()
    }
    return [f"Not compared, {why}: {', '.join(names)}." for why, names in scores.items() if names]


def _decimals(metric: Metric) -> int:
    """Decimals to show: at least two, since differences are small."""
    return max(2, metric.decimals)


def _number(value: float, decimals: int, sign: str = "") -> str:
    return f"{value:{sign}.{decimals}f}"


def as_json(
    reference: Run, others: Sequence[Run], compared: Sequence[Sequence[Comparison]]
) -> dict[str, Any]:
    """The same as `comparisons`, as JSON."""
    return {
        "reference": reference.name,
        "comparisons": [
            {
                "run": other.name,
                "lacking": lacking(reference, other),
                "incomparable": incomparable_scores(reference, other),
                "in_one_only": scores_of_one(reference, other),
                "params": {
                    key: {"old": old, "new": new}
                    for key, (old, new) in changed_params(reference, other).items()
                },
                "scores": [
                    {
                        "task": each.task,
                        "score": each.score,
                        "old": each.before,
                        "new": each.after,
                        "difference": each.difference.rounded(),
                        "p": each.p,
                        "p_holm": each.p_holm,
                        "n": each.n,
                        "rows_needed": each.rows_needed,
                        "verdict": each.verdict,
                    }
                    for each in rows
                ],
            }
            for other, rows in zip(others, compared, strict=True)
        ],
    }


def spread(
    key: str,
    spreads: Sequence[Spread],
    differences: Sequence[Difference],
    confidence: float,
    style: str,
) -> str:
    """A table of each score of each configuration, and one of the differences between them."""
    rows = [
        [
            each.task,
            each.score,
            each.configuration.name,
            ", ".join(shown(value) for value in each.configuration.values),
            _number(each.mean, decimals),
            "" if each.sd is None else _number(each.sd, decimals),
            f"{_number(min(each.scores), decimals)} … {_number(max(each.scores), decimals)}",
        ]
        for each in spreads
        for decimals in [_decimals(each.metric)]
    ]
    headers = ["task", "score", "runs", key, "mean", "sd", "range"]
    parts = [tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)]
    configurations = list(
        {each.configuration.name: each.configuration for each in spreads}.values()
    )
    parts += _left_out([run for each in configurations for run in each.runs])
    parts += _changed_from_first(configurations, key, style)
    if not differences and len(configurations) > 1:
        parts.append(
            f"No configuration has two runs, so the spread of scores over {key} is unknown."
        )
    if differences:
        rows = [
            [
                each.before.task,
                each.before.score,
                each.before.configuration.name,
                each.after.configuration.name,
                f"{_number(each.mean, decimals, '+')} ± {_number(each.margin, decimals)}",
                f"within the spread over {key}"
                if each.is_within_spread
                else f"more than the spread over {key}",
            ]
            for each in differences
            for decimals in [_decimals(each.before.metric)]
        ]
        headers = ["task", "score", "from", "to", f"difference [{100 * confidence:g} %]", ""]
        parts.append(tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True))
    return "\n\n".join(parts)


def spread_as_json(
    key: str, spreads: Sequence[Spread], differences: Sequence[Difference]
) -> dict[str, Any]:
    """The same as `spread`, as JSON."""
    return {
        "over": key,
        "spreads": [
            {
                "task": each.task,
                "score": each.score,
                "runs": [run.name for run in each.configuration.runs],
                "values": list(each.configuration.values),
                "scores": list(each.scores),
                "mean": each.mean,
                "sd": each.sd,
            }
            for each in spreads
        ],
        "differences": [
            {
                "task": each.before.task,
                "score": each.before.score,
                "from": [run.name for run in each.before.configuration.runs],
                "to": [run.name for run in each.after.configuration.runs],
                "mean": each.mean,
                "margin": each.margin,
                "is_within_spread": each.is_within_spread,
            }
            for each in differences
        ],
    }


def _changed_from_first(configurations: Sequence[Configuration], key: str, style: str) -> list[str]:
    """For each other configuration a table of the parameters that differ from the first."""
    first, *others = configurations
    parts = []
    for other in others:
        changes = changed_params(first.runs[0], other.runs[0])
        changes.pop(key, None)
        parts += [f"From {first.name} to {other.name}:", _changes(changes, style)]
    return parts


def _changes(changes: Changes, style: str) -> str:
    if not changes:
        return "No parameter differs."
    # A | in a value would end its cell in Markdown.
    rows = [
        [key, *(shown(value).replace("|", "\\|") for value in pair)]
        for key, pair in changes.items()
    ]
    return tabulate(
        rows, headers=["parameter", "old", "new"], tablefmt=style, disable_numparse=True
    )
