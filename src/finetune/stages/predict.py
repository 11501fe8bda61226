"""predict: the tuned model on validation and test rows, and the likelihood of general text.

Where answers are sampled, there are rows of `eval.draws` draws.
"""

from finetune.core import entry, paths, processes, runstate
from finetune.core.files import write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.core.rows_file import prepared
from finetune.inference.engines import registry as engines
from finetune.methods import registry as methods
from finetune.predictors import registry as predictors
from finetune.predictors.local import Loaded, TaskSpec
from finetune.tasks import registry


def run(params: StageParams, task: str) -> None:
    """Write the tuned model's predictions; a killed run keeps the rows that it answered."""
    row_type = registry.rows(params.task.kind).Row
    rows = {split: prepared(task, split, row_type) for split in paths.SPLITS}
    tuned = paths.adapter(task)

    def load() -> Loaded:
        engine = engines.of(params.run, params.model, params.method, tuned)
        return Loaded(methods.load(params.model, params.method, tuned), engine)

    files = [paths.prepared(task) / f"{split}.jsonl" for split in paths.SPLITS]
    files += sorted(file for file in tuned.rglob("*") if file.is_file())
    sections = (params.task.prompt, params.task.eval, params.model, params.method)
    spec = TaskSpec(params.task.kind, params.task.prompt, params.task.eval)
    identity = runstate.identity("predict", params.task.kind, sections, files, params.model.name)
    run_state = runstate.folder("predict", task, identity)
    with predictors.opened(params.model, params.run, run_state, load, tuned) as model:
        for split in ("validation", "test"):
            what = f"predict {task} {split}"
            predictions = model.predict(spec, rows[split], rows["train"], what)
            predictors.write(paths.predictions(task, "tuned", split), predictions)
        general = model.general_text(f"predict {task}")
        if not processes.is_main():
            return
        write_jsonl(paths.general(task, "tuned"), general)
        metrics = {task: {"predict": {"run": model.metrics()}}}
        write_json(paths.metrics(task, "predict"), metrics)


if __name__ == "__main__":
    entry.main(run, in_processes=True)
