"""A form's scores on the test rows, and its paired difference to the tuned model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json, read_jsonl, short_hash
from finetune.core.rows import TaskRow
from finetune.core.rows_file import prepared
from finetune.core.schema import Params
from finetune.scoring import draws, summary
from finetune.scoring.metrics import Prediction
from finetune.tasks import registry

# What a metric file has of a form.
Entry = dict[str, Any]
# The keys of `train.json` that have the hash of what was trained.
HASHES = ("adapter_hash", "model_hash")


@dataclass(frozen=True)
class Predicted:
    """The rows that a form is asked, and the tuned model's answers as `predict` wrote them.

    predictions: of the test rows, in their order, scored; adapter_hash: of the weights that gave
    them.
    """

    test: Sequence[TaskRow]
    train: Sequence[TaskRow]
    predictions: Sequence[Prediction]
    adapter_hash: str


def predicted(root: Path, settings: Params, task: str) -> Predicted:
    """What the pipeline's last run has of a task.

    Raises:
        UserError: there is no such task, no run, or its files do not belong together.
    """
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    file = root / paths.predictions(task, "tuned")
    if not file.is_file():
        raise UserError(f"{file}: not there; `dvc repro` makes it, `dvc pull` downloads it")
    tuned_metrics = root / paths.metrics(task, "tuned")
    known = read_json(tuned_metrics)[task] if tuned_metrics.is_file() else {}
    adapter_hash = trained_hash(root, task)
    if adapter_hash is None or known.get("predictions_hash") != short_hash(file):
        raise UserError(
            f"{file}: is not what metrics/{task}/ was made of; `dvc checkout` or `dvc repro` puts "
            "it right"
        )
    train, test = rows(root, settings, task)
    (first, *_) = draws.by_draw(read_jsonl(file))
    if [row.id for row in test] != [row["id"] for row in first]:
        raise UserError(f"{file}: is not of the rows of {paths.prepared(task)}; run `dvc repro`")
    return Predicted(test, train, scored(settings, task, test, first), adapter_hash)


def trained_hash(root: Path, task: str) -> str | None:
    """The hash of the weights that the metrics are of; None without any."""
    file = root / paths.metrics(task, "train")
    if not file.is_file():
        return None
    trained = read_json(file)[task]["train"]
    return next((str(trained[key]) for key in HASHES if key in trained), None)


def rows(root: Path, settings: Params, task: str) -> tuple[Sequence[TaskRow], list[TaskRow]]:
    """The train rows of a task, each read when it is asked for, and the test rows.

    Raises:
        UserError: they are not there.
    """
    options = settings.tasks[task]
    row = registry.rows(options.kind).Row
    for split in ("train", "test"):
        file = root / paths.prepared(task) / f"{split}.jsonl"
        if not file.is_file():
            raise UserError(f"{file}: not there; `dvc repro` makes it, `dvc pull` downloads it")
    return prepared(task, "train", row, root), list(prepared(task, "test", row, root))


def scored(
    settings: Params, task: str, test: Sequence[TaskRow], predictions: Sequence[Prediction]
) -> list[Prediction]:
    """Predictions with their rows' scores, as `evaluate` has them."""
    options = settings.tasks[task]
    dumped = [row.model_dump(mode="json") for row in test]
    return registry.scores(options.kind, options.prompt).score(dumped, predictions, options.score)


def entry(
    settings: Params,
    task: str,
    tuned: Sequence[Prediction],
    form: Sequence[Prediction],
    adapter_hash: str,
    run: Mapping[str, Any],
    **about: object,
) -> Entry:
    """Scores of a form with their intervals, and their paired differences to the tuned model.

    `difference` is form - tuned for each metric over the same rows, which are scored; `differing`
    the number of rows with another prediction. `adapter_hash` is of the weights that the form was
    made of or, of a model that was trained elsewhere, those that it is held against. `run` is what
    depends on the machine, and `about` says what else the form is.
    """
    options = settings.tasks[task]
    scores = registry.scores(options.kind, options.prompt)
    most = options.score.max_no_answer
    protocol = {**options.eval.model_dump(), **options.score.model_dump()}
    gain = summary.gain(scores.METRICS, scores.FLAGS, tuned, form, settings.bootstrap, most)
    pairs = zip(tuned, form, strict=True)
    return {
        **summary.summary(scores.METRICS, scores.FLAGS, form, settings.bootstrap, protocol, most),
        "difference": gain,
        "differing": sum(one["prediction"] != two["prediction"] for one, two in pairs),
        "adapter_hash": adapter_hash,
        **about,
        "run": dict(run),
    }
