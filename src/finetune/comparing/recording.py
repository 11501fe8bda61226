"""`finetune compare A B --record`: B as a form of A's model, in `metrics/TASK/forms.json`.

B is the same data put to another model, such as one that its provider tuned: what is exported or
served stands there too, and all are held against the same adapter on the same test rows.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.comparing import comparability, verdicts
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Run
from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.core.schema import Params
from finetune.forms import entries, records
from finetune.forms.entries import Entry


def record(
    root: Path, reference: Configuration, others: Sequence[Configuration]
) -> dict[Path, list[str]]:
    """Write an entry for each of the others and each task of both; the names by file.

    Of a configuration of several seeds the run that the user named is recorded.

    Raises:
        UserError: the metrics here are of another adapter than the reference.
    """
    settings = params.read(root / "params.yaml")
    written: dict[Path, list[str]] = {}
    new: dict[str, dict[str, Entry]] = {}
    for other in others:
        for task in comparability.check_comparable(reference.first, other.first):
            entry = _entry(root, settings, task, reference, other)
            new.setdefault(task, {})[other.name] = entry
    for task, forms in new.items():
        records.add(root, task, forms)
        written[records.path(task)] = list(forms)
    return written


def _entry(
    root: Path, settings: Params, task: str, reference: Configuration, other: Configuration
) -> Entry:
    before, after = reference.first, other.first
    adapter = _trained_hash(before, task)
    here = entries.trained_hash(root, task)
    if task not in settings.tasks or here != adapter:
        raise UserError(
            f"--record: {paths.metrics(task, 'train')} is of {here or 'no adapter'}, and "
            f"{before.name} of {adapter}; `git switch` to {before.name}, then record"
        )
    rows = before.predictions[task]
    entry = entries.entry(
        settings,
        task,
        rows,
        verdicts.in_order(after.predictions[task], [row["id"] for row in rows]),
        adapter,
        _metrics(after, task, "predict").get("run", {}),
        model=str(after.params.get("model.name")),
        method=str(after.params.get("method.tuner")),
        predictions_hash=_metrics(after, task).get("predictions_hash"),
    )
    # Of a metric that is of another thing under the other model, such as its tokens, no difference.
    alike = {metric.key for metric in verdicts.compared_metrics(reference, other, task)}
    return {**entry, "difference": {k: v for k, v in entry["difference"].items() if k in alike}}


def _trained_hash(run: Run, task: str) -> str:
    trained = _metrics(run, task, "train")
    return next(str(trained[key]) for key in entries.HASHES if key in trained)


def _metrics(run: Run, task: str, stage: str | None = None) -> dict[str, Any]:
    """The tuned model's metrics in a run, or those of a stage."""
    file = paths.metrics(task, stage or "tuned").as_posix()
    of_task: dict[str, Any] = json.loads(run.text(file))[task]
    return of_task if stage is None else of_task[stage]
