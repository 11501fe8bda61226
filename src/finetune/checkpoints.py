"""`finetune checkpoints`: the adapters that a run kept of its evaluations, with their scores.

Nothing is written: it takes the time of predicting the rows once for each adapter. Test rows are
not offered, since they are no means of choosing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tabulate import tabulate

from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.core.files import read_json, read_tsv
from finetune.core.rows_file import prepared
from finetune.core.schema import Bootstrap, Params
from finetune.inference import budgets
from finetune.methods import registry as methods
from finetune.scoring.metrics import Metric, Prediction
from finetune.tasks import registry
from finetune.training.evaluations import Evaluation, best
from finetune.training.selection import ScoredRows

Split = Literal["train", "validation"]
KEPT, BEST = "kept", "best here"


@dataclass(frozen=True)
class Checkpoint:
    """A kept adapter: after how many steps, its validation loss then, and its scored rows.

    scores: by metric, each with `low` and `high` where it has an interval; empty where too few rows
    have an answer.
    """

    step: int
    validation_loss: float | None
    scores: Mapping[str, Mapping[str, float]]


def run(root: Path, task: str, split: Split, style: str) -> int:
    """Score a task's kept adapters on the rows of a split, and print them by step."""
    settings = params.read(root / "params.yaml")
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    steps = _steps(root / paths.adapter(task) / paths.CHECKPOINTS)
    if not steps:
        raise UserError(
            f"{task}: no adapters of evaluations are kept; train with "
            f"`dvc exp run -S tasks.{task}.train.keep_checkpoints=true`"
        )
    scored = _rows(root, settings, task, split)
    losses = _losses(root / paths.curves(task) / "validation_loss.tsv")
    found = []
    for number, step in enumerate(steps, 1):
        what = f"step {step} ({number} of {len(steps)})"
        predictions = _predictions(root, settings, task, step, scored, what)
        scores = {} if scored.is_silent(predictions) else _scores(
            scored.metrics, predictions, settings.bootstrap
        )  # fmt: skip
        found.append(Checkpoint(step, losses.get(step), scores))
    kept = read_json(root / paths.metrics(task, "train"))[task]["train"]["best_step"]
    if style == "json":
        print(json.dumps(as_json(found, scored.metrics[0], kept, split), indent=2))
    else:
        print(table(found, scored.metrics, kept, style))
        print("\n" + remark(found, scored.metrics[0], split, len(scored.rows)))
    return 0


def _steps(folder: Path) -> list[int]:
    names = [entry.name for entry in folder.glob("*") if entry.is_dir()]
    return sorted(int(name) for name in names if name.isdecimal())


def _rows(root: Path, settings: Params, task: str, split: Split) -> ScoredRows:
    options = settings.tasks[task]
    kind = registry.rows(options.kind)
    rows = {name: prepared(task, name, kind.Row, root) for name in ("train", split)}
    return ScoredRows(
        options.kind, options.primary, options.prompt, options.eval, options.score,
        rows[split], rows["train"],
    )  # fmt: skip


def _losses(file: Path) -> dict[int, float]:
    rows = read_tsv(file) if file.is_file() else []
    return {int(row["step"]): float(row["validation_loss"]) for row in rows}


def _predictions(
    root: Path, settings: Params, task: str, step: int, scored: ScoredRows, what: str
) -> list[Prediction]:
    # The base is loaded anew for each: an adapter changes it in place.
    tuned = methods.load(settings.model, settings.method, root / paths.checkpoint(task, step))
    limits = budgets.resolve(settings.run, tuned.model)
    return scored.predictions(tuned, tuned.model, limits, what)


def _scores(
    metrics: Sequence[Metric], predictions: Sequence[Prediction], options: Bootstrap
) -> dict[str, dict[str, float]]:
    scores = {}
    for metric in metrics:
        if not metric.is_of(predictions):
            continue
        interval = metric.interval(predictions, options)
        ends = {"low": interval.low, "high": interval.high} if interval else {}
        scores[metric.key] = {"score": metric.score(predictions), **ends}
    return scores


def best_step(found: Sequence[Checkpoint], primary: Metric) -> int:
    """The step of the best primary score; of equal scores, and without any, of the lowest loss."""
    evaluations = [
        Evaluation(
            each.step,
            float("inf") if each.validation_loss is None else each.validation_loss,
            0.0,
            each.scores[primary.key]["score"] if each.scores else None,
        )
        for each in found
    ]
    return best(evaluations, primary.higher_is_better is not False).step


def table(found: Sequence[Checkpoint], metrics: Sequence[Metric], kept: int, style: str) -> str:
    """A row for each adapter; of the metrics the primary one and those that the README shows."""
    shown = [metric for metric in metrics if metric is metrics[0] or metric.in_readme]
    winner = best_step(found, metrics[0])
    rows = []
    for each in found:
        marks = [mark for mark, step in ((KEPT, kept), (BEST, winner)) if step == each.step]
        loss = "–" if each.validation_loss is None else f"{each.validation_loss:.4f}"
        rows.append(
            [each.step, loss, *(_cell(metric, each.scores) for metric in shown), ", ".join(marks)]
        )
    headers = ["step", "validation loss", *(metric.heading for metric in shown), ""]
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def _cell(metric: Metric, scores: Mapping[str, Mapping[str, float]]) -> str:
    if not scores:
        return "too few answers"
    if metric.key not in scores:
        return "–"
    values = scores[metric.key]
    ends = metric.ends(values["low"], values["high"]) if "low" in values else ""
    return f"{metric.number(values['score'])} {ends}".strip()


def remark(found: Sequence[Checkpoint], primary: Metric, split: Split, rows: int) -> str:
    """What the table is of, and what it is not."""
    return (
        f"{len(found)} adapters on the {rows} {split} rows, by {primary.title} "
        f"({primary.direction}). The best of several looks better than it is on the rows that "
        "chose it."
    )


def as_json(
    found: Sequence[Checkpoint], primary: Metric, kept: int, split: Split
) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "split": split,
        "primary": primary.key,
        "kept": kept,
        "best": best_step(found, primary),
        "checkpoints": [
            {"step": c.step, "validation_loss": c.validation_loss, "scores": c.scores}
            for c in found
        ],
    }
