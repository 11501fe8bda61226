"""ladder: what can be had without a language model, on the same test rows."""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain

from finetune.core import entry, paths
from finetune.core.errors import DataError
from finetune.core.files import (
    read_json,
    read_jsonl,
    replaced_folder,
    short_hash,
    write_json,
    write_jsonl,
)
from finetune.core.params import Declared
from finetune.core.progress import progress
from finetune.core.schema import PriceScore, SummaryScore
from finetune.tasks import rungs, scores
from finetune.tasks.rungs.rung import Answers, Row, Splits

log = logging.getLogger(__name__)
MODELS = ("base", "few_shot", "tuned")

Step = tuple[str, Sequence[Row], Answers]


def run(params: Declared, task: str) -> None:
    """Write each rung's predictions, and the metrics of all."""
    kind, score, names = params.task.kind, params.task.score, params.task.ladder
    splits = {name: read_jsonl(paths.prepared(task) / f"{name}.jsonl") for name in paths.SPLITS}
    outside = list(_outside(task, splits["test"]))
    steps = chain(_own(names, splits, score), outside)
    ladder = {}
    with replaced_folder(paths.ladder(task)) as folder:
        total = len(names) + len(outside)
        for name, rows, answers in progress(steps, f"ladder {task}", "rung", total):
            predictions = scores.score(kind, rows, answers.guesses, score)
            file = folder / f"{name}.jsonl"
            write_jsonl(file, predictions)
            protocol = {**score.model_dump(), **answers.remarks}
            ladder[name] = scores.metrics(kind, predictions, params.bootstrap, protocol)
            ladder[name]["predictions_hash"] = short_hash(file)
    write_json(paths.metrics(task, "ladder"), {task: {"ladder": ladder}})


def _own(names: Sequence[str], splits: Splits, score: SummaryScore | PriceScore) -> Iterator[Step]:
    """The ladder's own rungs, each with the rows that it answers: all of test."""
    for name in names:
        yield name, splits["test"], rungs.RUNGS[name](splits, score)


def _outside(task: str, test: Sequence[Row]) -> Iterator[Step]:
    """Rungs that `fetch` found: somebody's answers, and the test rows that they cover.

    Raises:
        DataError: one has the name of a rung or model of ours.
    """
    for name, origin in read_json(paths.raw(task) / "source.json").get("guesses", {}).items():
        if name in rungs.RUNGS or name in MODELS:
            raise DataError(
                f"tasks.{task}.source.files.guesses: {name!r} is a name of the pipeline's own; "
                "give these guesses another name"
            )
        rows = read_jsonl(paths.guesses(task) / f"{name}.jsonl")
        guesses = {row["id"]: row["guess"] for row in rows}
        covered = [row for row in test if row["id"] in guesses]
        if not covered:
            log.info(f"{task}: {origin['file']} answers none of the test rows: no rung {name!r}")
            continue
        remarks = {"source": origin["source"], "covers": f"{len(covered)} of {len(test)} rows"}
        yield name, covered, Answers([guesses[row["id"]] for row in covered], remarks)


if __name__ == "__main__":
    entry.main(run)
