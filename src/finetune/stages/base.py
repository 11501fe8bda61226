"""base: the untuned model on the test rows, with the decoding and precision of the tuned one."""

from finetune import paths
from finetune.files import read_jsonl, write_json, write_jsonl
from finetune.inference.predict import Ask, predict
from finetune.modeling import base as base_model
from finetune.params import Declared
from finetune.stages import entry
from finetune.tasks import scores


def run(params: Declared, task: str) -> None:
    """Write the untuned model's predictions and metrics."""
    rows, train = (read_jsonl(paths.prepared(task) / f"{n}.jsonl") for n in ("test", "train"))
    base = base_model.load(params.model, params.method, for_inference=True)
    ask = Ask(params.task.kind, params.task.prompt, params.task.eval, params.task.score)
    predictions = predict(base, base.model, ask, rows, train, f"base {task}")
    write_jsonl(paths.predictions(task, "base"), predictions)
    metrics = scores.metrics(ask.kind, predictions, params.bootstrap, ask.protocol)
    write_json(paths.metrics(task, "base"), {task: {"base": metrics}})


if __name__ == "__main__":
    entry.main(run)
