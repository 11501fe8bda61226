"""The report: one page that needs nothing else, put together from what the pipeline wrote.

Words come from `sentences`, drawings from `figures`; the template escapes whatever is text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from finetune.core.paths import without_folders
from finetune.core.schema import Bootstrap, Model, Task
from finetune.core.schema import Section as Parameters
from finetune.describing.sections import Section
from finetune.ledger import Look
from finetune.reporting import (
    answer,
    facts,
    inputs,
    leaderboard,
    looks,
    quality,
    score_tables,
    templates,
    training,
)
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.facts import Facts
from finetune.reporting.leaderboard import MODELS, LeaderboardEntry, Role, SilentEntry
from finetune.reporting.parts import Part, Table
from finetune.reporting.quality import Quality
from finetune.reporting.sentences import Verdict
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric

WORDS = {
    "better": "Better than the base model",
    "worse": "Worse than the base model",
    "undecided": "No significant difference",
    "base_silent": "The base model does not answer",
    "tuned_silent": "The tuned model does not answer",
}


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """What the template shows of a task; `anchor` is unique in the page."""

    anchor: str
    name: str
    description: str
    metric: Metric
    rows: int
    origin: str
    best_baseline: LeaderboardEntry | None
    base: LeaderboardEntry | None
    tuned: LeaderboardEntry | None
    silent: dict[Role, SilentEntry | None]
    verdict: Verdict | None
    change: str
    answer: Part
    scores: Table | None
    draws: Table
    gains: Table
    meanings: Facts
    published: Table
    published_elsewhere: str
    quality: Quality
    training: Part
    run: Facts
    data: Part
    counts: Table
    card: list[Section]
    examples: list[dict[str, str]]
    source: Facts


def page(
    artifacts: Sequence[TaskArtifacts],
    tasks: Mapping[str, Task],
    sections: Mapping[str, Parameters],
    bootstrap: Bootstrap,
    model: Model,
    usd_per_hour: float | None,
    book: Sequence[Look] = (),
) -> str:
    """The page over all tasks; `sections` are the parameters to be shown beside the tasks'.

    `book` has the looks at test rows.
    """
    shown = {
        **{name: _without_paths(section.model_dump()) for name, section in sections.items()},
        "tasks": {of.task: _shown(tasks[of.task], of.source.get("source")) for of in artifacts},
    }
    return templates.render(
        templates.FOLDER / "page.html.j2",
        tasks=[
            _task(f"t{i}", of, tasks[of.task], bootstrap, usd_per_hour)
            for i, of in enumerate(artifacts, 1)
        ],
        model_name=without_folders(model.name),
        base_model=facts.base_model(model),
        versions=facts.versions(),
        parameters={name: _yaml(section) for name, section in shown.items()},
        confidence=numbers.percent(bootstrap.confidence),
        looks=looks.table(book),
        looks_sentence=looks.sentence(book),
        words=WORDS,
    )


def _task(
    name: str,
    artifacts: TaskArtifacts,
    options: Task,
    bootstrap: Bootstrap,
    usd_per_hour: float | None,
) -> TaskView:
    entries = leaderboard.entries(artifacts)
    base = leaderboard.by_role(entries, "base")
    tuned = leaderboard.by_role(entries, "tuned")
    silent = leaderboard.silent(artifacts)
    sizes = [*(entry.rows for entry in entries), *(entry.rows for entry in silent)]
    train = artifacts.metrics.get("train", {})
    return TaskView(
        anchor=name,
        name=artifacts.task,
        description=artifacts.kind.report.description,
        metric=artifacts.primary,
        rows=tuned.rows if tuned else max(sizes, default=0),
        origin=facts.origin(artifacts),
        best_baseline=leaderboard.best_baseline(entries, artifacts.primary),
        base=base,
        tuned=tuned,
        silent={role: leaderboard.by_role(silent, role) for role in MODELS},
        verdict=answer.verdict(artifacts, entries, bootstrap),
        change=answer.change(artifacts),
        answer=answer.answer(name, artifacts, entries, options, bootstrap),
        scores=score_tables.scores(artifacts, entries) if entries or silent else None,
        draws=score_tables.draws(artifacts, entries),
        gains=score_tables.gains(artifacts),
        meanings=score_tables.meanings(artifacts, entries),
        published=score_tables.published(artifacts, options),
        published_elsewhere=answer.published_elsewhere(artifacts),
        quality=quality.quality(name, artifacts),
        training=training.training(name, artifacts, options.train),
        run=facts.training(train, usd_per_hour) if train else [],
        data=inputs.inputs(name, artifacts),
        counts=facts.counts(artifacts.metrics.get("data", {})),
        card=inputs.card(artifacts),
        examples=artifacts.data_card.get("examples", []),
        source=facts.source(artifacts),
    )


def _without_paths(values: dict[str, Any]) -> dict[str, Any]:
    """A section's parameters; of absolute paths, such as that of a model, only the last name."""
    return {k: without_folders(v) if isinstance(v, str) else v for k, v in values.items()}


def _shown(task: Task, source: str | None) -> dict[str, Any]:
    """A task's parameters; of its sources the used one, and without what stands elsewhere."""
    values = task.model_dump(exclude={"published"})
    if source in values["source"]:
        curate = values["source"]["curate"]
        values["source"] = {source: values["source"][source]}
        values["source"] |= {"curate": curate} if curate else {}
    return values


def _yaml(values: object) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
