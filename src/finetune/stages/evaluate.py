"""evaluate: the tuned model on the test rows, and its paired gain over the untuned one."""

from finetune.core import entry, paths
from finetune.core.files import read_jsonl, short_hash, write_json, write_jsonl, write_tsv
from finetune.core.params import Declared
from finetune.inference import budgets
from finetune.inference.predict import Ask, predict
from finetune.modeling import adapters
from finetune.modeling import base as base_model
from finetune.tasks import groups, scores


def run(params: Declared, task: str) -> None:
    """Write the tuned model's predictions, its metrics, its gain, and both models' by groups."""
    rows, train = (read_jsonl(paths.prepared(task) / f"{n}.jsonl") for n in ("test", "train"))
    before = read_jsonl(paths.predictions(task, "base"))
    base = base_model.load(params.model, params.method, for_inference=True)
    ask = Ask(params.task.kind, params.task.prompt, params.task.eval, params.task.score)
    model = adapters.load(base.model, paths.adapter(task))
    limits = budgets.find(params.run, model)
    predictions = predict(base, model, ask, rows, train, f"evaluate {task}", limits)
    metrics = scores.metrics(ask.kind, predictions, params.bootstrap, ask.protocol())
    metrics["gain"] = scores.gain(ask.kind, before, predictions, params.bootstrap)
    metrics["run"] = limits.metrics()
    models = {"base": before, "tuned": predictions}
    write_jsonl(paths.predictions(task, "tuned"), predictions)
    metrics["predictions_hash"] = short_hash(paths.predictions(task, "tuned"))
    write_tsv(paths.groups(task), list(groups.table(ask.kind, rows, models, params.bootstrap)))
    write_json(paths.metrics(task, "tuned"), {task: metrics})


if __name__ == "__main__":
    entry.main(run)
