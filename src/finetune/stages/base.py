"""base: the untuned model on validation and test rows, decoded and held in memory as the tuned one.

Once as it is, once with examples of train in its prompt: what can be had without tuning. Where
chance decides, of the examples or of sampled answers, there are rows of `eval.draws` draws.
And how likely general text is to it, for what tuning makes it forget.
"""

from collections.abc import Iterable

from finetune.core import entry, paths, processes, runstate
from finetune.core.files import write_json, write_jsonl
from finetune.core.params import StageParams
from finetune.core.rows_file import prepared
from finetune.core.schema import Precision
from finetune.inference.engines import registry as engines
from finetune.inference.predict import Prediction
from finetune.modeling import base as base_model
from finetune.predictors import registry as predictors
from finetune.predictors.local import Loaded, TaskSpec
from finetune.tasks import registry

SPLITS = ("validation", "test")


def run(params: StageParams, task: str) -> None:
    """Write the untuned model's predictions, with and without examples; without, where none.

    A killed run keeps the rows that it answered.
    """
    row_type = registry.rows(params.task.kind).Row
    rows = {split: prepared(task, split, row_type) for split in paths.SPLITS}
    # Not of all of `method`: what the tuner is changes nothing here.
    how = Precision(
        quantization=params.method.quantization,
        double_quantization=params.method.double_quantization,
        compute_dtype=params.method.compute_dtype,
    )

    def load() -> Loaded:
        engine = engines.of(params.run, params.model, how)
        return Loaded(base_model.load(params.model, how, for_inference=True), engine)

    files = [paths.prepared(task) / f"{split}.jsonl" for split in paths.SPLITS]
    sections = (params.task.prompt, params.task.eval, params.model, how)
    spec = TaskSpec(params.task.kind, params.task.prompt, params.task.eval)
    identity = runstate.identity("base", params.task.kind, sections, files, params.model.name)
    run_state = runstate.folder("base", task, identity)
    with predictors.opened(params.model, params.run, run_state, load) as model:
        truncated = {
            split: model.truncated(spec, rows[split], task, split, params.data.max_truncated)
            for split in SPLITS
        }
        for name, shots in {"base": 0, "few_shot": params.task.eval.shots}.items():
            for split in SPLITS:
                predictions: Iterable[Prediction] = []
                if name == "base" or shots:
                    what = f"{name} {task} {split}"
                    predictions = model.predict(spec, rows[split], rows["train"], what, shots)
                predictors.write(paths.predictions(task, name, split), predictions)
        general = model.general_text(f"base {task}")
        if not processes.is_main():
            return
        write_jsonl(paths.general(task, "base"), general)
        counts = {split: count for split, count in truncated.items() if count}
        metrics = {task: {"predict_base": {**counts, "run": model.metrics()}}}
        write_json(paths.metrics(task, "predict_base"), metrics)


if __name__ == "__main__":
    entry.main(run, in_processes=True)
