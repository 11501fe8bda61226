"""`finetune predict`: a tuned model's answers to the rows of a file, as JSON lines."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.core.files import line, write_jsonl
from finetune.core.rows_file import RowsFile
from finetune.inference import budgets
from finetune.inference.engines import registry as engines
from finetune.inference.predict import EvalSpec, predict
from finetune.methods import registry as methods
from finetune.predicting import adapters, unlabelled
from finetune.scoring.metrics import Flag, Prediction
from finetune.tasks import registry


def run(root: Path, task: str, file: Path, adapter: str | None, out: Path | None) -> int:
    """Answer the rows of a file, and write or print `id` and `prediction` of each.

    `adapter` is a folder, or OWNER/NAME@REVISION on the hub; None is what the task was trained to
    here.

    Raises:
        UserError: there is no such task, file or model, or a row of the file is no good.
    """
    settings = params.read(root / "params.yaml")
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    if not file.is_file():
        raise UserError(f"{file}: no such file")
    if out and out.is_dir():
        raise UserError(f"--out {out}: is a folder; name a file")
    if out and out.exists():
        raise UserError(f"--out {out}: is there already; name a new file")
    options = settings.tasks[task]
    file_of_train = root / paths.prepared(task) / "train.jsonl"
    if not file_of_train.is_file():
        raise UserError(
            f"{file_of_train}: not there; run `dvc repro prepare@{task}`, or `dvc pull`"
        )
    kind = registry.rows(options.kind, options.prompt)
    train = RowsFile(file_of_train, registry.rows(options.kind).Row)
    rows = unlabelled.rows(file, kind, options.fields, options.source.files, train[0])
    folder = root / paths.adapter(task)
    if adapter:
        folder = adapters.folder(adapter)
        adapters.check(folder, adapter, settings.model, methods.of(settings.method).WEIGHTS)
    engine = engines.of(settings.run, settings.model, settings.method, folder)
    tuned = methods.load(settings.model, settings.method, folder)
    limits = budgets.resolve(settings.run, tuned.model)
    spec = EvalSpec(options.prompt, options.eval, registry.predict(options.kind).answers, engine)
    answers = predict(tuned, tuned.model, spec, rows, train, f"predict {file.name}", limits)
    flags = registry.scores(options.kind, options.prompt).FLAGS
    # Without what holds the answers against references: those may be the template's.
    given = [{"id": row["id"], "prediction": _answer(row, flags)} for row in answers]
    if out:
        write_jsonl(out, given)
    else:
        print("\n".join(map(line, given)))
    print(f"{out or file}: {_counted(answers, flags)}", file=sys.stderr)
    return 0


def _answer(row: Prediction, flags: Sequence[Flag]) -> Any:
    """A row's answer; None where a constant stands in for one in the pipeline's predictions."""
    is_imputed = any(row.get(flag.key) for flag in flags if flag.is_imputed)
    return None if is_imputed else row["prediction"]


def _counted(answers: Sequence[Prediction], flags: Sequence[Flag]) -> str:
    """How many answers there are, and of how many something is amiss."""
    counts = {
        flag.key: sum(each.get(flag.key) is True for each in answers)
        for flag in flags
        if not flag.key.startswith("reference")  # those may be the template's
    }
    said = [f"{count} {key.replace('_', ' ')}" for key, count in counts.items() if count]
    counted = f"{len(answers)} answer{'s' * (len(answers) != 1)}"
    return counted + (f", of which {', '.join(said)}" if said else "")
