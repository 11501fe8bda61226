"""baselines: what can be had without a language model, on the same rows."""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from finetune.core import entry, paths
from finetune.core.errors import DataError
from finetune.core.files import (
    read_json,
    read_jsonl,
    replaced_folder,
    short_hash,
    write_json,
    write_jsonl,
    write_tsv,
)
from finetune.core.params import StageParams
from finetune.core.progress import progress
from finetune.core.schema import Score
from finetune.scoring import summary
from finetune.scoring.baselines import Answers, Splits
from finetune.scoring.metrics import Row
from finetune.tasks import registry
from finetune.tasks.registry import Baselines

log = logging.getLogger(__name__)
# Names that a baseline may not have, since models do.
MODELS = ("base", "few_shot", "tuned")

# A baseline's name, and for validation and test the rows that it answers and its answers.
Step = tuple[str, dict[str, tuple[Sequence[Row], Answers]], dict[str, Any]]


def run(params: StageParams, task: str) -> None:
    """Write each baseline's predictions for test rows, and the metrics of all."""
    names, options = params.task.baselines, params.task.score
    kind, scores = registry.baselines(params.task.kind), registry.scores(params.task.kind)
    splits = {name: read_jsonl(paths.prepared(task) / f"{name}.jsonl") for name in paths.SPLITS}
    guesses = list(_guesses(task, kind, splits["test"]))
    steps = chain(_fitted(kind, names, splits, options), guesses)
    metrics: dict[str, dict[str, Any]] = {}
    most = options.max_no_answer
    with replaced_folder(paths.baselines(task)) as folder:
        total = len(names) + len(guesses)
        for name, answers, remarks in progress(steps, f"baselines {task}", "baseline", total):
            scored = {
                split: scores.score(rows, [{"prediction": p} for p in of.predictions], options)
                for split, (rows, of) in answers.items()
            }
            file = folder / f"{name}.jsonl"
            write_jsonl(file, scored["test"])
            if "validation" in scored:
                write_jsonl(folder / "validation" / file.name, scored["validation"])
            protocol = {
                **options.model_dump(),
                **registry.protocol(params.task.kind),
                **answers["test"][1].remarks,
                **remarks,
            }
            metrics[name] = summary.summary(
                scores.METRICS, scores.FLAGS, scored["test"], params.bootstrap, protocol, most
            )
            if "validation" in scored:
                metrics[name]["validation"] = summary.scores(
                    scores.METRICS, scores.FLAGS, scored["validation"], most
                )
            metrics[name]["predictions_hash"] = short_hash(file)
    primary = scores.METRICS[0].key
    drawn = [
        {"name": name, "score": of[primary], **of["interval"][primary]}
        for name, of in metrics.items()
        if primary in of  # one that gives too few answers has no scores
    ]
    write_tsv(paths.plot(task, "baselines"), drawn, ("name", "score", "low", "high"))
    write_json(paths.metrics(task, "baselines"), {task: {"baselines": metrics}})


def _fitted(
    kind: Baselines, names: Sequence[str], splits: Splits, options: Score
) -> Iterator[Step]:
    """The kind's own baselines, each with its answers to the validation and the test rows."""
    known = {baseline.name: baseline for baseline in kind.BASELINES}
    for baseline in (known[name] for name in names):
        answer = baseline.fit(splits, options)
        answers = {
            split: (splits[split], answer(splits[split])) for split in ("validation", "test")
        }
        yield baseline.name, answers, {"oracle": True} if baseline.is_oracle else {}


def _guesses(task: str, kind: Baselines, test: Sequence[Row]) -> Iterator[Step]:
    """Somebody's answers that `fetch` found, each with the test rows that they cover.

    Raises:
        DataError: one has the name of a baseline or model of ours, or an answer is none.
    """
    taken = {*MODELS, *(baseline.name for baseline in kind.BASELINES)}
    for name, origin in read_json(paths.raw(task) / "source.json").get("guesses", {}).items():
        if name in taken:
            raise DataError(
                f"tasks.{task}.source.files.guesses: {name!r} is a name of the pipeline's own; "
                "give these guesses another name"
            )
        file = paths.guesses(task) / f"{name}.jsonl"
        guesses = {row["id"]: _guess(kind, row, origin["file"]) for row in read_jsonl(file)}
        covered = [row for row in test if row["id"] in guesses]
        if not covered:
            log.info(f"{task}: {origin['file']} answers no test row: no baseline {name!r}")
            continue
        remarks = {"source": origin["source"], "covers": f"{len(covered)} of {len(test)} rows"}
        answers = Answers([guesses[row["id"]] for row in covered])
        yield name, {"test": (covered, answers)}, remarks


def _guess(kind: Baselines, row: Row, file: str) -> Any:
    try:
        return kind.guess(row["guess"])
    except ValueError as error:
        raise DataError(
            f"{file}: {row['place']}: {error}; mend the file, or "
            "source.files.guesses in the task's config"
        ) from None


if __name__ == "__main__":
    entry.main(run)
