"""evaluate: a model's scores, from its predictions; without torch and without weights.

python -m finetune.stages.evaluate base     stage evaluate_base: the untuned model
python -m finetune.stages.evaluate tuned    stage evaluate: the tuned one, and its gain over it
"""

import functools
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from finetune.core import entry, paths
from finetune.core.files import (
    read_json,
    read_jsonl,
    short_hash,
    write_json,
    write_jsonl,
    write_tsv,
)
from finetune.core.params import StageParams
from finetune.core.schema import Score
from finetune.scoring import draws, forgetting, groups, summary
from finetune.scoring.metrics import Metric, Prediction, Row
from finetune.tasks import registry
from finetune.tasks.registry import Scores

Model = Literal["base", "tuned"]
STAGES: dict[Model, str] = {"base": "evaluate_base", "tuned": "evaluate"}


def run(which: Model, params: StageParams, task: str) -> None:
    """Write the scores of one of the two models."""
    scores = registry.scores(params.task.kind, params.task.prompt)
    rows = {
        split: read_jsonl(paths.prepared(task) / f"{split}.jsonl")
        for split in ("validation", "test")
    }
    most = params.task.score.max_no_answer
    agree = registry.draw_agreement(params.task.kind)
    shots = {"base": 0, "few_shot": params.task.eval.shots} if which == "base" else {"tuned": 0}
    metrics: dict[str, dict[str, Any]] = {}
    for name, count in shots.items():
        what = draws.of(count, params.task.eval)
        drawn = {
            split: draws.with_agreement(
                _scored(task, name, split, of_split, scores, params.task.score),
                scores.FLAGS,
                agree,
                params.task.score,
            )
            for split, of_split in rows.items()
        }
        # Only the first draw is compared, drawn and listed; the others say how far luck moves it.
        scored = drawn["test"][0] if drawn["test"] else []
        write_jsonl(paths.scored(task, name), scored)
        # Test rows are for the last look: experiments are compared by these.
        chosen_by = drawn["validation"][0] if drawn["validation"] else []
        write_jsonl(paths.scored(task, name, "validation"), chosen_by)
        if not scored:
            continue  # no few-shot prompts were asked for
        protocol = {
            **params.task.eval.model_dump(),
            "shots": count,
            "draws": len(drawn["test"]),
            **params.task.score.model_dump(),
            **registry.protocol(params.task.kind),
        }
        metrics[name] = summary.summary(
            scores.METRICS, scores.FLAGS, scored, params.bootstrap, protocol, most
        )
        if not summary.is_silent(scores.FLAGS, scored, most):
            metrics[name] |= scores.details(scored, params.bootstrap)
        if not any(summary.is_silent(scores.FLAGS, draw, most) for draw in drawn["test"]):
            metrics[name] |= draws.spread(scores.METRICS, drawn["test"], what)
        metrics[name]["validation"] = summary.scores(scores.METRICS, scores.FLAGS, chosen_by, most)
        if not any(summary.is_silent(scores.FLAGS, draw, most) for draw in drawn["validation"]):
            spread = draws.spread(scores.METRICS, drawn["validation"], what)
            metrics[name]["validation"] |= spread
        metrics[name]["predictions_hash"] = short_hash(paths.predictions(task, name))
    if which == "base":
        write_json(paths.metrics(task, "base"), {task: metrics})
        return
    before, after = (read_jsonl(paths.scored(task, name)) for name in ("base", "tuned"))
    gain = summary.gain(scores.METRICS, scores.FLAGS, before, after, params.bootstrap, most)
    models = {"base": before, "tuned": after}
    by_group = groups.table(
        scores.GROUPINGS, scores.METRICS, scores.FLAGS, rows["test"], models, params.bootstrap, most
    )
    write_tsv(paths.groups(task), list(by_group))
    # Of silence there is no gain, and no row to draw.
    both = summary.both_answered(scores.FLAGS, before, after) if gain else []
    _write_pairs(task, scores.METRICS[0], both)
    untuned, general = (read_jsonl(paths.general(task, name)) for name in ("base", "tuned"))
    forgot = forgetting.forgetting(untuned, general, params.bootstrap)
    metrics["tuned"] |= {"gain": gain, "forgetting": forgot}
    write_json(paths.metrics(task, "tuned"), {task: metrics["tuned"]})


def _scored(
    task: str, name: str, split: str, rows: Sequence[Row], scores: Scores, options: Score
) -> list[list[Prediction]]:
    """A model's scored predictions by draw."""
    return [
        _with_clusters(task, split, scores.score(rows, draw, options))
        for draw in draws.by_draw(read_jsonl(paths.predictions(task, name, split)))
    ]


def _with_clusters(task: str, split: str, scored: list[Prediction]) -> list[Prediction]:
    """The rows with the id of the first one of their cluster of near-duplicates."""
    clusters = read_json(paths.prepared(task) / "clusters.json").get(split, [])
    first = {row_id: cluster[0] for cluster in clusters for row_id in cluster}
    return [{**row, "cluster": first.get(row["id"], row["id"])} for row in scored]


def _write_pairs(task: str, metric: Metric, both: Iterable[tuple[Prediction, Prediction]]) -> None:
    """The kind's first metric of each row under both models, for `dvc plots`."""
    pairs = [
        {"base": metric.of_row(old), "tuned": metric.of_row(new)}
        for old, new in both
        if metric.counts(old) and metric.counts(new)
    ]
    write_tsv(paths.plot(task, "rows"), pairs, ("base", "tuned"))


if __name__ == "__main__":
    model: Model = "base" if sys.argv[1:2] == ["base"] else "tuned"
    sys.argv[1:2] = [] if sys.argv[1:2] in (["base"], ["tuned"]) else sys.argv[1:2]
    entry.main(functools.partial(run, model), STAGES[model])
