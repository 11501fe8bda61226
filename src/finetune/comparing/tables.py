"""Comparisons as tables for a terminal or a pull request, and as JSON."""

import statistics
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from finetune.comparing.comparability import (
    changed_params,
    incomparable_scores,
    lacking,
    scores_of_few_rows,
    scores_of_one,
)
from finetune.comparing.configurations import SEEDS, Configuration, matches, seeds_line
from finetune.comparing.runs import Run, Split
from finetune.comparing.verdicts import (
    Comparison,
    max_no_answer,
    p_text,
    unanswered_rate,
)
from finetune.composition import shown
from finetune.scoring.metrics import Metric
from finetune.tasks import registry

Changes = dict[str, tuple[object, object]]
NO_SEEDS = (
    "With one run a side this is about these two runs: what another seed of training would change "
    "is in none of these intervals. To see it, run more seeds: "
)


# What Holm's method runs over.
COMPARED = {
    "test": "those shown here, and earlier ones on the same rows that metrics/looks.json has",
    "validation": "those shown here",
}


def comparisons(
    reference: Configuration,
    others: Sequence[Configuration],
    compared: Sequence[Sequence[Comparison]],
    num_looks: int,
    style: str,
    split: Split = "test",
) -> str:
    """For each of the others its changed parameters, a table of verdicts, and one of other scores.

    `style` is tabulate's: `simple` for a terminal, `github` for Markdown. `num_looks` counts the
    comparisons that Holm's method was run over.
    """
    parts = []
    for other, rows in zip(others, compared, strict=True):
        parts.append(f"{'## ' if style == 'github' else ''}{reference.name} → {other.name}")
        parts.append("\n".join(seeds_line(each) for each in (reference, other)))
        parts.append(changes_table(changes(reference, other), style))
        missing = lacking(reference.first, other.first)
        if missing:
            parts.append(f"Not compared, because {other.name} lacks it: {', '.join(missing)}.")
        parts += _left_out([reference.first, other.first])
        primary = [each for each in rows if each.is_primary]
        secondary = [each for each in rows if not each.is_primary]
        head = [reference.name, other.name, "difference [interval]"]
        parts.append(
            _table(
                ["task", "score", *head, "p", f"p (Holm, {num_looks})", "rows", "verdict"],
                [
                    [*_cells(each), p_text(each.p), p_text(each.p_adjusted), each.n, _said(each)]
                    for each in primary
                ],
                style,
            )
        )
        if secondary:
            parts.append("Other scores, which no verdict is about:")
            parts.append(
                _table(
                    ["task", "score", *head, "p (Westfall-Young)", "rows", ""],
                    [
                        [*_cells(each), p_text(each.p_adjusted), each.n, _said(each)]
                        for each in secondary
                    ],
                    style,
                )
            )
        silence = _silence(rows, reference.name, other.name)
        if silence:
            parts.append(silence)
        if len(reference.runs) == len(other.runs) == 1:
            parts.append(f"{NO_SEEDS}{seeds_commands(reference, other)}")
    parts.append(
        f"The verdict on a task is about its primary score, Holm-adjusted for {num_looks} "
        f"comparisons: {COMPARED[split]}. Each interval is of the level at which its p-value was "
        "adjusted: without zero means significant. Hidden in no interval: other rows than these, "
        "other data, another prompt."
    )
    return "\n\n".join(parts)


def seeds_commands(*configurations: Configuration) -> str:
    """The commands that run more seeds of configurations."""
    commands = [f"`finetune seeds {each.name} --n 5`" for each in configurations]
    return f"{', '.join(commands)}, then `dvc queue start`"


def _cells(each: Comparison) -> list[str]:
    decimals = _decimals(each.metric)
    cells = [each.task, each.score]
    if each.is_silent:
        return [*cells, *(f"no answer in {100 * rate:.3g} %" for rate in each.unanswered), ""]
    interval = each.interval
    ends = ", ".join(_number(end, decimals, "+") for end in (interval.low, interval.high))
    level = f"{100 * each.confidence:.3g} %"
    return [
        *cells,
        _number(each.before, decimals),
        _number(each.after, decimals),
        f"{_number(interval.mean, decimals, '+')} [{ends}] {level}",
    ]


def _said(each: Comparison) -> str:
    return f"{each.verdict}; {each.detail}".strip("; ")


def _silence(rows: Sequence[Comparison], before: str, after: str) -> str:
    """How many rows of each task had no answer, where some had none."""
    rates = {each.task: each.unanswered for each in rows if any(each.unanswered)}
    return " ".join(
        f"{task}: no answer in {100 * old:.3g} % of the rows of {before} and {100 * new:.3g} % of "
        f"{after}; rows whose answer is a stand-in are left out of both."
        for task, (old, new) in rates.items()
    )


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]], style: str) -> str:
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)


def _left_out(runs: Sequence[Run]) -> list[str]:
    """A sentence for each reason why scores are not compared with the first run's."""
    first, *others = runs
    reasons = {
        "because tokens are not the same": incomparable_scores,
        "because only one of the runs has it": scores_of_one,
        "because the rows are too few": scores_of_few_rows,
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
    return f"{round(value, decimals) + 0.0:{sign}.{decimals}f}"  # without the sign of zero


def as_json(
    reference: Configuration,
    others: Sequence[Configuration],
    compared: Sequence[Sequence[Comparison]],
    num_looks: int,
) -> dict[str, Any]:
    """The same as `comparisons`, as JSON."""
    return {
        "reference": reference.name,
        "runs": [run.name for run in reference.runs],
        "looks": num_looks,
        "comparisons": [
            {
                "run": other.name,
                "runs": [run.name for run in other.runs],
                "lacking": lacking(reference.first, other.first),
                "incomparable": incomparable_scores(reference.first, other.first),
                "in_one_only": scores_of_one(reference.first, other.first),
                "of_few_rows": scores_of_few_rows(reference.first, other.first),
                "params": {
                    key: {"old": old, "new": new}
                    for key, (old, new) in changes(reference, other).items()
                },
                "scores": [score_json(each) for each in rows],
            }
            for other, rows in zip(others, compared, strict=True)
        ],
    }


def score_json(each: Comparison) -> dict[str, Any]:
    """A comparison as JSON; no scores of silence."""
    scores = {
        "old": each.before,
        "new": each.after,
        "difference": each.interval.rounded(),
        "confidence": each.confidence,
        "p": each.p,
        "p_adjusted": each.p_adjusted,
        "adjusted_by": "Holm" if each.is_primary else "Westfall-Young",
        "detectable": each.detectable,
        "rests_on_few": each.rests_on_few,
    }
    return {
        "task": each.task,
        "score": each.score,
        "is_primary": each.is_primary,
        **({} if each.is_silent else scores),
        "no_answer": dict(zip(("old", "new"), each.unanswered, strict=True)),
        "seeds": dict(zip(("old", "new"), each.difference.seeds, strict=True)),
        "n": each.n,
        "verdict": each.verdict,
        "detail": each.detail,
    }


def spread(configuration: Configuration, style: str) -> str:
    """How scores vary over the runs of one configuration, of which none is better than another."""
    rows = []
    for task, metric, scores in _scores(configuration):
        decimals = _decimals(metric)
        rate = unanswered_rate(configuration, task)
        if rate > max_no_answer(configuration.first, task):
            rows.append([task, metric.key, f"no answer in {100 * rate:.3g} %"])
            continue
        rows.append(
            [
                task,
                metric.key,
                _number(statistics.fmean(scores), decimals),
                _number(statistics.stdev(scores), decimals) if len(scores) > 1 else "",
                f"{_number(min(scores), decimals)} … {_number(max(scores), decimals)}",
                ", ".join(_number(score, decimals) for score in scores),
            ]
        )
    headers = ["task", "score", "mean", "sd", "range", "by run"]
    differs = "the seed" if configuration.noise == SEEDS else configuration.noise[0]
    return "\n\n".join(
        [
            seeds_line(configuration),
            _table(headers, rows, style),
            f"No verdict: these runs are of one configuration and differ in nothing but {differs}. "
            "What their scores differ by is taken for noise."
            if len(configuration.runs) > 1
            else "No verdict: this is one run, whatever its names.",
        ]
    )


def spread_as_json(configuration: Configuration) -> dict[str, Any]:
    """The same as `spread`, as JSON."""
    return {
        "runs": [run.name for run in configuration.runs],
        "spreads": [
            {
                "task": task,
                "score": metric.key,
                "no_answer": unanswered_rate(configuration, task),
                "scores": list(scores),
                "mean": statistics.fmean(scores),
                "sd": statistics.stdev(scores) if len(scores) > 1 else None,
            }
            for task, metric, scores in _scores(configuration)
        ],
    }


def _scores(configuration: Configuration) -> list[tuple[str, Metric, list[float]]]:
    return [
        (task, metric, [metric.score(run.predictions[task]) for run in runs])
        for task, kind in configuration.first.kinds.items()
        for runs in [configuration.runs_of(task)]
        for metric in registry.scores(kind).METRICS
        if metric.higher_is_better is not None
        and all(metric.is_of(run.predictions[task]) for run in runs)
    ]


def changes(before: Configuration, after: Configuration) -> Changes:
    """The parameters that set two configurations apart."""
    one, other = before.first, after.first
    of_one_only = set(lacking(one, other)) | set(lacking(other, one))
    left_out = [*before.noise, *(f"tasks.{task}.*" for task in of_one_only), "tasks.*.published"]
    changed = changed_params(one, other)
    return {key: pair for key, pair in changed.items() if not matches(key, left_out)}


def changes_table(changed: Changes, style: str) -> str:
    """A table of parameters with the old and the new value."""
    if not changed:
        return "No parameter differs."
    # A | in a value would end its cell in Markdown.
    rows = [
        [key, *(shown(value).replace("|", "\\|") for value in pair)]
        for key, pair in changed.items()
    ]
    return _table(["parameter", "old", "new"], rows, style)
