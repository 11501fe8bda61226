"""Comparisons as a person reads them in a terminal or a pull request, and as a program does."""

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from finetune.comparing.runs import Run
from finetune.comparing.seeds import Difference, Spread
from finetune.comparing.verdicts import Comparison, changed_params, incomparable_scores, lacking
from finetune.composition import shown

Changes = dict[str, tuple[object, object]]


def comparisons(
    reference: Run,
    others: Sequence[Run],
    found: Sequence[Sequence[Comparison]],
    confidence: float,
    style: str,
) -> str:
    """For each of the others: the parameters that differ, and a row for each score.

    `style` is tabulate's: `simple` for a terminal, `github` for Markdown.
    """
    parts = []
    for other, rows in zip(others, found, strict=True):
        parts.append(f"{'## ' if style == 'github' else ''}{reference.name} → {other.name}")
        parts.append(_changes(changed_params(reference, other), style))
        missing = lacking(reference, other)
        if missing:
            parts.append(f"Not compared, because {other.name} lacks it: {', '.join(missing)}.")
        apart = incomparable_scores(reference, other)
        if apart:
            parts.append(f"Not compared, because tokens are not the same: {', '.join(apart)}.")
        table = [
            [
                each.task,
                each.score,
                _number(each, each.before),
                _number(each, each.after),
                f"{_number(each, each.difference.mean, '+')} "
                f"[{_number(each, each.difference.low, '+')}, "
                f"{_number(each, each.difference.high, '+')}]",
                f"{each.p:.4f}",
                f"{each.p_holm:.4f}",
                each.n,
                f"{each.verdict} {each.detail}".strip(),
            ]
            for each in rows
        ]
        interval = f"difference [{100 * confidence:g} %]"
        headers = ["task", "score", reference.name, other.name, interval, "p", "p (Holm)", "rows"]
        parts.append(
            tabulate(table, headers=[*headers, "verdict"], tablefmt=style, disable_numparse=True)
        )
    parts.append(
        "Intervals are of each score by itself. Verdicts go by p (Holm), which is corrected for "
        "all that is compared here."
    )
    return "\n\n".join(parts)


def _digits(of: Spread) -> int:
    return 3 if max(map(abs, of.scores)) < 10 else 2


def _number(of: Comparison, value: float, sign: str = "") -> str:
    """With a digit more where a score is small, such as RMSLE and R²."""
    return f"{value:{sign}.{3 if max(abs(of.before), abs(of.after)) < 10 else 2}f}"


def as_json(
    reference: Run, others: Sequence[Run], found: Sequence[Sequence[Comparison]]
) -> dict[str, Any]:
    """All of it, for programs."""
    return {
        "reference": reference.name,
        "comparisons": [
            {
                "run": other.name,
                "lacking": lacking(reference, other),
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
            for other, rows in zip(others, found, strict=True)
        ],
    }


def spread(
    key: str,
    found: Sequence[Spread],
    differences: Sequence[Difference],
    confidence: float,
    style: str,
) -> str:
    """A row for each score of each configuration, and one for each difference between two."""
    rows = [
        [
            each.task,
            each.score,
            each.configuration.name,
            ", ".join(shown(value) for value in each.configuration.values),
            f"{each.mean:.{_digits(each)}f}",
            "" if each.sd is None else f"{each.sd:.{_digits(each)}f}",
            f"{min(each.scores):.{_digits(each)}f} … {max(each.scores):.{_digits(each)}f}",
        ]
        for each in found
    ]
    headers = ["task", "score", "runs", key, "mean", "sd", "range"]
    parts = [tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)]
    configurations = list({each.configuration.name: each.configuration for each in found}.values())
    first = configurations[0].runs[0]
    for other in configurations[1:]:
        changes = changed_params(first, other.runs[0])
        changes.pop(key, None)
        parts.append(f"From {configurations[0].name} to {other.name}:")
        parts.append(_changes(changes, style))
    if not differences and len(configurations) > 1:
        parts.append(
            f"No configuration has two runs, so nothing tells how far {key} alone moves a score."
        )
    if differences:
        compared = [
            [
                each.before.task,
                each.before.score,
                each.before.configuration.name,
                each.after.configuration.name,
                f"{each.mean:+.{_digits(each.before)}f} ± {each.margin:.{_digits(each.before)}f}",
                f"within the spread over {key}"
                if each.is_within_spread
                else f"more than the spread over {key}",
            ]
            for each in differences
        ]
        headers = ["task", "score", "from", "to", f"difference [{100 * confidence:g} %]", ""]
        parts.append(tabulate(compared, headers=headers, tablefmt=style, disable_numparse=True))
    return "\n\n".join(parts)


def spread_as_json(
    key: str, found: Sequence[Spread], differences: Sequence[Difference]
) -> dict[str, Any]:
    """The same, for programs."""
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
            for each in found
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


def _changes(changes: Changes, style: str) -> str:
    if not changes:
        return "No parameter differs."
    # A rule of the table must not stand within it.
    rows = [
        [key, *(shown(value).replace("|", "\\|") for value in pair)]
        for key, pair in changes.items()
    ]
    return tabulate(
        rows, headers=["parameter", "old", "new"], tablefmt=style, disable_numparse=True
    )
