"""Tables of results out of metric files: for the report, the README and the terminal alike."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.core.errors import UserError
from finetune.core.files import read_json
from finetune.reporting.parts import KindReport
from finetune.scoring import baselines, numbers
from finetune.scoring.forgetting import PARTS
from finetune.scoring.metrics import Metric

Metrics = dict[str, Any]


def read_complete(folder: Path, task: str) -> dict[str, Metrics]:
    """The same as `read`, of a task that has run to its end.

    Raises:
        UserError: it has not.
    """
    metrics = read(folder, task)
    for name in ("base", "tuned"):
        if name not in metrics:
            raise UserError(f"{task}: {folder}/{task}/{name}.json is not there; run `dvc repro`")
    return metrics


def read(folder: Path, task: str) -> dict[str, Metrics]:
    """A task's metric files by name, without the nesting that DVC's columns need."""
    metrics: dict[str, Metrics] = {}
    for name in ("data", "baselines", "base", "train", "tuned"):
        file = folder / task / f"{name}.json"
        if not file.is_file():
            continue
        content = read_json(file)[task]
        metrics[name] = content if name == "tuned" else content[name]
        if name == "base" and content.get("few_shot"):
            metrics["few_shot"] = content["few_shot"]
    return metrics


def results(metrics: Mapping[str, Metrics], declared: Sequence[Metric]) -> str:
    """A Markdown table: a row for each baseline and model, each score with its interval."""
    return _table([*_baselines(metrics), *_models(metrics)], declared)


def short_results(metrics: Mapping[str, Metrics], declared: Sequence[Metric]) -> str:
    """The same table with the best baseline alone: the one to beat."""
    of_baselines = metrics.get("baselines", {})
    best = baselines.best(of_baselines, declared[0])
    rows = [(f"best baseline by validation: {best}", of_baselines[best])] if best else []
    return _table([*rows, *_models(metrics)], declared)


def _table(entries: Sequence[tuple[str, Metrics]], declared: Sequence[Metric]) -> str:
    columns = _columns(declared)
    rows = [[name, *_cells(scores, columns, declared[0]), scores["n"]] for name, scores in entries]
    headers = ["", *(metric.heading for metric in columns), "rows"]
    # Else `11.00` would lose its decimals where it stands without an interval.
    as_written = list(range(len(columns) + 1))
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=as_written)


def _cells(scores: Metrics, columns: Sequence[Metric], primary: Metric) -> list[str]:
    """Scores with their intervals; in the place of the first, that there are too few answers."""
    cells = [with_interval(scores, metric.key) for metric in columns]
    if primary.key not in scores and no_answer(scores):
        cells[:1] = [no_answer(scores)]
    return cells


def no_answer(scores: Mapping[str, Any]) -> str:
    """`no answer in 3 of 200 rows`, of metrics that count such rows; else empty."""
    count = scores.get("no_answer", 0)
    total = numbers.number(scores.get("n", 0), 0)
    return f"no answer in {numbers.number(count, 0)} of {total} rows" if count else ""


def gains_line(metrics: Mapping[str, Metrics], declared: Sequence[Metric]) -> str:
    """`ROUGE-1 +20.11 [18.70, 21.48], …`: the tuned model's paired gain over the base."""
    gain = metrics["tuned"].get("gain", {})
    return ", ".join(
        f"{metric.heading} {signed_with_interval(gain[metric.key])}"
        for metric in _columns(declared)
        if metric.key in gain
    )


def remarks(
    metrics: Mapping[str, Metrics], declared: Sequence[Metric], report: KindReport
) -> list[str]:
    """Sentences beneath a task's table: the gain, what was forgotten, draws, the kind's own."""
    return [
        gain_remark(metrics, declared),
        *forgetting_remark(metrics),
        *_draw_remarks(metrics, declared),
        *report.remarks(metrics),
    ]


def _draw_remarks(metrics: Mapping[str, Metrics], declared: Sequence[Metric]) -> Iterator[str]:
    """`base, few-shot, over 3 draws of examples: ROUGE-1 (points) 17.20 to 18.40, …`."""
    for title, scores in _models(metrics):
        draws = scores.get("draws", {})
        ranges = [
            f"{metric.heading} {_range(draws[metric.key])}"
            for metric in _columns(declared)
            if metric.key in draws
        ]
        if ranges:
            over = f"over {draws['n']} draws of {draws['of']}"
            yield f"{title.strip('*')}, {over}: {', '.join(ranges)}."


def _range(draws: Mapping[str, Any]) -> str:
    """The smallest and the largest score of several draws."""
    low, high = f"{draws['low']:.2f}", f"{draws['high']:.2f}"
    return low if low == high else f"{low} to {high}"


def gain_remark(metrics: Mapping[str, Metrics], declared: Sequence[Metric]) -> str:
    """The tuned model's paired gain over the base, or why there is none, in sentences."""
    primary = declared[0]
    silent = {
        name: no_answer(metrics[name])
        for name in ("base", "tuned")
        if primary.key not in metrics[name] and no_answer(metrics[name])
    }
    if "tuned" in silent:
        return f"No gain: the tuned model does not answer ({silent['tuned']}), so it has no score."
    if "base" in silent:
        return (
            f"No gain: the untuned model does not answer ({silent['base']}), so there is nothing "
            "to compare with but the baselines."
        )
    gains = gains_line(metrics, declared)
    if not gains:
        return "No gain: there is no row that both models answered."
    gain = f"Gain of tuned over base, paired: {gains}."
    first = metrics["tuned"]["gain"].get(primary.key, {})
    if "before" not in first:
        return gain
    rates = ", ".join(
        f"{who} {no_answer(metrics[name]) or 'answers all rows'}"
        for name, who in (("base", "base model"), ("tuned", "tuned"))
    )
    return (
        f"{gain} It is over the {first['n']} rows that both answered, where {primary.subject} is "
        f"{first['before']:.2f} and {first['after']:.2f} ({rates})."
    )


def forgetting_remark(metrics: Mapping[str, Metrics]) -> list[str]:
    """Base → tuned bits per byte of general text, in a line; none before it was measured."""
    of = metrics["tuned"].get("forgetting")
    if not of:
        return []
    parts = ", ".join(
        f"{part} {of[part]['base']:.2f} → {of[part]['tuned']:.2f} "
        f"({signed_with_interval(of[part]['difference'])})"
        for part in PARTS
    )
    return [f"General text, bits per byte of base → tuned (more: less likely): {parts}."]


def signed_with_interval(difference: Mapping[str, float]) -> str:
    """`+20.11 [18.70, 21.48]`, as Markdown and terminals show it."""
    return f"{difference['mean']:+.2f} {_ends(difference)}"


def _columns(declared: Sequence[Metric]) -> list[Metric]:
    """The primary score, and those that are always shown."""
    return [metric for metric in declared if metric.in_readme or metric is declared[0]]


def _baselines(metrics: Mapping[str, Metrics]) -> Iterator[tuple[str, Metrics]]:
    for name, scores in metrics.get("baselines", {}).items():
        yield f"{name} (oracle)" if _is_oracle(scores) else name, scores


def _is_oracle(scores: Metrics) -> bool:
    return bool(scores.get("protocol", {}).get("oracle"))


def _models(metrics: Mapping[str, Metrics]) -> Iterator[tuple[str, Metrics]]:
    models = ("base", "base model"), ("few_shot", "base, few-shot"), ("tuned", "**tuned**")
    for name, title in models:
        if name in metrics:
            yield title, metrics[name]


def with_interval(scores: Metrics, metric: str) -> str:
    """`59.70 [57.71, 61.71]`; a dash where there is no such score."""
    if metric not in scores:
        return "–"
    ends = scores.get("interval", {}).get(metric)
    return f"{scores[metric]:.2f} {_ends(ends)}" if ends else f"{scores[metric]:.2f}"


def _ends(interval: Mapping[str, float]) -> str:
    return f"[{interval['low']:.2f}, {interval['high']:.2f}]"
