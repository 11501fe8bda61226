"""ladder: what can be had without a language model, on the same test rows."""

from finetune import paths
from finetune.files import read_jsonl, replaced_folder, write_json, write_jsonl
from finetune.params import Declared
from finetune.progress import progress
from finetune.stages import entry
from finetune.tasks import rungs, scores


def run(params: Declared, task: str) -> None:
    """Write each rung's predictions, and the metrics of all."""
    kind, score = params.task.kind, params.task.score
    splits = {name: read_jsonl(paths.prepared(task) / f"{name}.jsonl") for name in paths.SPLITS}
    ladder = {}
    with replaced_folder(paths.ladder(task)) as folder:
        for name in progress(params.task.ladder, f"ladder {task}", "rung"):
            guesses = rungs.RUNGS[name](splits)
            predictions = scores.score(kind, splits["test"], guesses, score)
            write_jsonl(folder / f"{name}.jsonl", predictions)
            ladder[name] = scores.metrics(kind, predictions, params.bootstrap, score.model_dump())
    write_json(paths.metrics(task, "ladder"), {task: {"ladder": ladder}})


if __name__ == "__main__":
    entry.main(run)
