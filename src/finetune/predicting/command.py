"""`finetune predict`: a tuned model's answers to the rows of a file, as JSON lines."""

import sys
from pathlib import Path

from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.core.files import line, read_jsonl, write_jsonl
from finetune.inference import budgets
from finetune.inference.engines import registry as engines
from finetune.inference.predict import EvalSpec, predict
from finetune.methods import registry as methods
from finetune.predicting import adapters, unlabelled
from finetune.tasks import registry


def run(root: Path, task: str, file: Path, adapter: str | None, out: Path | None) -> int:
    """Answer the rows of a file, and write or print `id` and `prediction` of each.

    `adapter` is OWNER/NAME@REVISION on the hub; None is what the task was trained to here.

    Raises:
        UserError: there is no such task or model, or a row of the file is no good.
    """
    settings = params.read(root / "params.yaml")
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    options = settings.tasks[task]
    prepared = root / paths.prepared(task) / "train.jsonl"
    if not prepared.is_file():
        raise UserError(f"{prepared}: not there; run `dvc repro` or `dvc pull`")
    kind = registry.rows(options.kind, options.prompt)
    train = [registry.rows(options.kind).Row(**row) for row in read_jsonl(prepared)]
    rows = unlabelled.rows(file, kind, options.fields, options.source.files, train[0])
    folder = root / paths.adapter(task)
    if adapter:
        folder = adapters.fetch(adapter)
        adapters.check_base(folder, adapter, settings.model)
    engine = engines.of(settings.run, settings.model, settings.method, folder)
    tuned = methods.load(settings.model, settings.method, folder)
    limits = budgets.resolve(settings.run, tuned.model)
    spec = EvalSpec(options.prompt, options.eval, registry.predict(options.kind).answers, engine)
    answers = predict(tuned, tuned.model, spec, rows, train, f"predict {file.name}", limits)
    # Without what holds the answers against references: those may be the template's.
    given = [{"id": row["id"], "prediction": row["prediction"]} for row in answers]
    if out:
        write_jsonl(out, given)
        print(f"{out}: {len(given)} answers", file=sys.stderr)
    else:
        print("\n".join(map(line, given)))
    return 0
