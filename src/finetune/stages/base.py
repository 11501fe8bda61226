"""base: the untuned model on the test rows, with the decoding and precision of the tuned one.

Once as it is, once with examples of train in its prompt: what can be had without tuning.
"""

from finetune.core import entry, paths
from finetune.core.files import read_jsonl, short_hash, write_json, write_jsonl
from finetune.core.params import Declared
from finetune.inference import budgets
from finetune.inference.predict import Ask, predict
from finetune.modeling import base as base_model
from finetune.tasks import scores


def run(params: Declared, task: str) -> None:
    """Write the untuned model's predictions and metrics, with and without examples."""
    rows, train = (read_jsonl(paths.prepared(task) / f"{n}.jsonl") for n in ("test", "train"))
    base = base_model.load(params.model, params.method, for_inference=True)
    ask = Ask(params.task.kind, params.task.prompt, params.task.eval, params.task.score)
    limits = budgets.find(params.run, base.model)
    wanted = {"base": 0, "few_shot": params.task.eval.shots}
    predictions, metrics = {}, {}
    for name, shots in wanted.items():
        predictions[name] = []
        if name == "base" or shots:
            found = predict(base, base.model, ask, rows, train, f"{name} {task}", limits, shots)
            protocol = ask.protocol(shots)
            metrics[name] = scores.metrics(ask.kind, found, params.bootstrap, protocol)
            metrics[name]["run"] = limits.metrics()
            predictions[name] = found
    for name, found in predictions.items():
        file = paths.predictions(task, name)
        write_jsonl(file, found)
        if name in metrics:
            metrics[name]["predictions_hash"] = short_hash(file)
    write_json(paths.metrics(task, "base"), {task: metrics})


if __name__ == "__main__":
    entry.main(run)
