"""`finetune engines`: the same rows answered by two engines, and the paired difference of scores.

Nothing is written, and only differences are shown: scores of test rows are no means of choosing.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.core.rows_file import prepared
from finetune.core.schema import Bootstrap, Params
from finetune.inference import budgets
from finetune.inference.engines import registry as engines
from finetune.inference.predict import EvalSpec, predict
from finetune.methods import registry as methods
from finetune.scoring import numbers
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric, Prediction, answered
from finetune.scoring.summary import is_silent
from finetune.tasks import registry

# Differences of rounding are small: so many decimals beyond a score's own.
MORE_DECIMALS = 2


@dataclass(frozen=True)
class Answers:
    """An engine's scored predictions in the order of the rows, and the time that they took."""

    engine: str
    predictions: list[Prediction]
    seconds: float


def run(root: Path, task: str, against: str, count: int, style: str) -> int:
    """Answer a task's first test rows with our engine and another, and print how they differ."""
    settings = params.read(root / "params.yaml")
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    if count < 2:
        raise UserError(f"--rows: is {count}, must be at least 2: an interval needs a variance")
    options = settings.tasks[task]
    ours, other = _answers(root, settings, task, (engines.BUILTIN, against), count)
    flags = registry.scores(options.kind).FLAGS
    for each in (ours, other):
        if is_silent(flags, each.predictions, options.score.max_no_answer):
            silent = sum(not answered(flags, row) for row in each.predictions)
            raise UserError(
                f"{task}: {silent} of {len(each.predictions)} rows have no answer by "
                f"{each.engine} (score.max_no_answer), so there are no scores to compare"
            )
    metrics = registry.metrics(options.kind, options.primary, options.prompt)
    gains = differences(metrics, ours.predictions, other.predictions, settings.bootstrap)
    if style == "json":
        print(json.dumps(as_json(task, metrics, gains, ours, other), indent=2))
    else:
        print(table(metrics, gains, ours, other, settings.bootstrap.confidence, style))
        print("\n" + remark(ours, other))
    return 0


def _answers(
    root: Path, settings: Params, task: str, names: Sequence[str], count: int
) -> list[Answers]:
    """The tuned model's answers to the first test rows by each engine."""
    options = settings.tasks[task]
    kind, scores = registry.rows(options.kind), registry.scores(options.kind)
    train = prepared(task, "train", kind.Row, root)
    rows = prepared(task, "test", kind.Row, root)[:count]
    folder = root / paths.adapter(task)
    # Before the model is loaded: an engine may not be there, or not be for it.
    chosen = [
        engines.of(
            settings.run.model_copy(update={"engine": name}),
            settings.model, settings.method, folder,
        )
        for name in names
    ]  # fmt: skip
    tuned = methods.load(settings.model, settings.method, folder)
    limits = budgets.resolve(settings.run, tuned.model)
    asked = registry.predict(options.kind).answers
    by_engine = []
    for name, engine in zip(names, chosen, strict=True):
        spec = EvalSpec(options.prompt, options.eval, asked, engine)
        started = time.monotonic()
        predictions = predict(tuned, tuned.model, spec, rows, train, f"{task} by {name}", limits)
        seconds = time.monotonic() - started
        dumped = [row.model_dump(mode="json") for row in rows]
        by_engine.append(Answers(name, scores.score(dumped, predictions, options.score), seconds))
    return by_engine


def differences(
    metrics: Sequence[Metric],
    ours: Sequence[Prediction],
    other: Sequence[Prediction],
    options: Bootstrap,
) -> dict[str, Interval]:
    """By metric the paired difference other - ours; those that these rows have."""
    gains = {
        metric.key: metric.gain(ours, other, options)
        for metric in metrics
        if metric.compares(ours, other)
    }
    return {key: gain for key, gain in gains.items() if gain is not None}


def differing(ours: Sequence[Prediction], other: Sequence[Prediction]) -> int:
    """How many rows have another prediction."""
    pairs = zip(ours, other, strict=True)
    return sum(one["prediction"] != two["prediction"] for one, two in pairs)


def table(
    metrics: Sequence[Metric],
    gains: dict[str, Interval],
    ours: Answers,
    other: Answers,
    confidence: float,
    style: str,
) -> str:
    """A row for each score, the primary one first."""
    rows = []
    for metric in metrics:
        if metric.key in gains:
            gain, decimals = gains[metric.key], metric.decimals + MORE_DECIMALS
            ends = (numbers.signed(end, decimals) for end in (gain.low, gain.high))
            rows.append(
                [metric.heading, numbers.signed(gain.mean, decimals), f"[{', '.join(ends)}]"]
            )
    headers = ["", f"{other.engine} − {ours.engine}", f"{100 * confidence:g} % interval"]
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def remark(ours: Answers, other: Answers) -> str:
    """How many answers differ, and what each engine took."""
    rows = len(ours.predictions)
    times = ", ".join(f"{each.engine} {each.seconds:.1f} s" for each in (ours, other))
    return (
        f"{differing(ours.predictions, other.predictions)} of {rows} answers differ, on the first "
        f"{rows} test rows. Time without loading the model here: {times}."
    )


def as_json(
    task: str,
    metrics: Sequence[Metric],
    gains: dict[str, Interval],
    ours: Answers,
    other: Answers,
) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "task": task,
        "engines": [ours.engine, other.engine],
        "rows": len(ours.predictions),
        "differing": differing(ours.predictions, other.predictions),
        "primary": metrics[0].key,
        "difference": {key: gain.rounded(6) for key, gain in gains.items()},
        "seconds": {each.engine: round(each.seconds, 2) for each in (ours, other)},
    }
