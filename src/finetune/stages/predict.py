"""predict: the tuned model on validation and test rows, and the likelihood of general text.

Where answers are sampled, there are rows of `eval.draws` draws.
"""

from finetune.core import entry, paths
from finetune.core.files import read_jsonl, write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.forgetting import likelihood, texts
from finetune.inference import budgets
from finetune.inference.predict import EvalSpec, predict_draws
from finetune.methods import registry as methods
from finetune.tasks import registry


def run(params: StageParams, task: str) -> None:
    """Write the tuned model's predictions."""
    kind = registry.rows(params.task.kind)
    rows = {
        split: [kind.Row(**row) for row in read_jsonl(paths.prepared(task) / f"{split}.jsonl")]
        for split in paths.SPLITS
    }
    tuned = methods.load(params.model, params.method, paths.adapter(task))
    answers = registry.predict(params.task.kind).answers
    spec = EvalSpec(params.task.prompt, params.task.eval, answers)
    limits = budgets.resolve(params.run, tuned.model)
    for split in ("validation", "test"):
        what = f"predict {task} {split}"
        predictions = predict_draws(
            tuned, tuned.model, spec, rows[split], rows["train"], what, limits
        )
        write_jsonl(paths.predictions(task, "tuned", split), predictions)
    general = likelihood.rows(tuned, tuned.model, texts.items(), limits, f"predict {task}")
    write_jsonl(paths.general(task, "tuned"), general)
    write_json(paths.metrics(task, "predict"), {task: {"predict": {"run": limits.metrics()}}})


if __name__ == "__main__":
    entry.main(run)
