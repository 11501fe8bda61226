"""predict: the tuned model on validation and test rows, and the likelihood of general text.

Where answers are sampled, there are rows of `eval.draws` draws.
"""

from finetune.core import entry, paths, processes, runstate
from finetune.core.files import read_jsonl, write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.forgetting import likelihood, texts
from finetune.inference.engines import registry as engines
from finetune.inference.predict import EvalSpec, predict_draws
from finetune.inference.resuming import resumed
from finetune.methods import registry as methods
from finetune.tasks import registry


def run(params: StageParams, task: str) -> None:
    """Write the tuned model's predictions; a killed run keeps the rows that it answered."""
    kind = registry.rows(params.task.kind)
    rows = {
        split: [kind.Row(**row) for row in read_jsonl(paths.prepared(task) / f"{split}.jsonl")]
        for split in paths.SPLITS
    }
    engine = engines.of(params.run, params.model, params.method, paths.adapter(task))
    tuned = methods.load(params.model, params.method, paths.adapter(task))
    answers = registry.predict(params.task.kind).answers
    spec = EvalSpec(params.task.prompt, params.task.eval, answers, engine)
    files = [paths.prepared(task) / f"{split}.jsonl" for split in paths.SPLITS]
    files += sorted(file for file in paths.adapter(task).rglob("*") if file.is_file())
    sections = (params.task.prompt, params.task.eval, params.model, params.method)
    identity = runstate.identity("predict", params.task.kind, sections, files, params.model.name)
    run_state = runstate.folder("predict", task, identity)
    with resumed(run_state, params.run, tuned.model) as run:
        for split in ("validation", "test"):
            what = f"predict {task} {split}"
            predictions = predict_draws(
                tuned, tuned.model, spec, rows[split], rows["train"], what, run.budgets
            )
            if processes.is_main():
                write_jsonl(paths.predictions(task, "tuned", split), predictions)
        general = likelihood.rows(
            tuned, tuned.model, texts.items(), run.budgets, f"predict {task}", engine
        )
        if not processes.is_main():
            return
        write_jsonl(paths.general(task, "tuned"), general)
        metrics = {task: {"predict": {"run": run.metrics()}}}
        write_json(paths.metrics(task, "predict"), metrics)


if __name__ == "__main__":
    entry.main(run, in_processes=True)
