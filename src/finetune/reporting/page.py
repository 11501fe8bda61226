"""The report: one page that needs nothing else, put together from what the pipeline wrote.

Words come from `sentences`, drawings from `figures`; the template escapes whatever is text.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finetune.core.paths import without_folders
from finetune.core.schema import (
    Bootstrap,
    Model,
    PriceTask,
    Published,
    Section,
    SummarizationTask,
    Train,
)
from finetune.reporting import answer, facts, figures, numbers, quality, sentences, standings
from finetune.reporting.facts import Facts, Table
from finetune.reporting.material import Material
from finetune.reporting.numbers import Measure
from finetune.reporting.parts import Figure, Part
from finetune.reporting.quality import Quality
from finetune.reporting.sentences import Verdict
from finetune.reporting.standings import Standing

TEMPLATES = Path(__file__).parent
WORDS = {
    "better": "Better than the base model",
    "worse": "Worse than the base model",
    "undecided": "No difference shown",
}
KINDS = {"summarization": "summaries of dialogues", "price": "prices of products"}


@dataclass(frozen=True)
class TaskView:
    """What the template shows of a task; `anchor` is unique in the page."""

    anchor: str
    name: str
    kind: str
    measure: Measure
    rows: int
    origin: str
    standings: list[Standing]
    best_rung: Standing | None
    base: Standing | None
    tuned: Standing | None
    verdict: Verdict | None
    change: str
    answer: Part
    scores: Table
    gains: Table
    meanings: Facts
    published: list[Published]
    published_elsewhere: str
    quality: Quality
    training: Part
    run: Facts
    data: Part
    counts: Table
    source: Facts


def page(
    materials: Sequence[Material],
    tasks: Mapping[str, SummarizationTask | PriceTask],
    sections: Mapping[str, Section],
    bootstrap: Bootstrap,
    model: Model,
    usd_per_hour: float | None,
) -> str:
    """The page over all tasks; `sections` are the parameters to be shown beside the tasks'."""
    # Imported here: other users of this package need no templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["title_in"] = lambda key, kind: numbers.measure(kind, key).title
    environment.filters["price"] = lambda price: numbers.number(price, 2)
    views = [
        _task(f"t{i}", material, tasks[material.task], bootstrap, usd_per_hour, sections["train"])
        for i, material in enumerate(materials, 1)
    ]
    shown = {
        **{name: _without_paths(section.model_dump()) for name, section in sections.items()},
        "tasks": {m.task: _told(tasks[m.task], m.source.get("source")) for m in materials},
    }
    return environment.get_template("page.html.j2").render(
        tasks=views,
        model_name=without_folders(model.name),
        base_model=facts.base_model(model),
        versions=facts.versions(),
        parameters={name: _yaml(section) for name, section in shown.items()},
        confidence=numbers.percent(bootstrap.confidence),
        resamples=numbers.number(bootstrap.resamples, 0),
        words=WORDS,
        kinds=KINDS,
    )


def _task(
    name: str,
    material: Material,
    options: SummarizationTask | PriceTask,
    bootstrap: Bootstrap,
    usd_per_hour: float | None,
    train_options: Train,
) -> TaskView:
    measure = numbers.first(material.kind)
    found = standings.standings(material)
    base, tuned = (standings.by_role(found, role) for role in ("base", "tuned"))
    train = material.metrics.get("train", {})
    return TaskView(
        name,
        material.task,
        material.kind,
        measure,
        tuned.rows if tuned else max((s.rows for s in found), default=0),
        facts.origin(material),
        found,
        standings.best_rung(found, measure.higher_is_better),
        base,
        tuned,
        answer.verdict(material, found, measure, bootstrap),
        answer.change(material, measure),
        answer.answer(name, material, found, options, measure, bootstrap),
        answer.scores(material, found),
        answer.gains(material, bootstrap),
        answer.meanings(material, found),
        options.published,
        answer.published_elsewhere(material),
        quality.quality(name, material, measure),
        _training(name, material, train_options.number_loss),
        facts.training(train, usd_per_hour) if train else [],
        _data(name, material),
        facts.counts(material.metrics.get("data", {})),
        facts.source(material),
    )


def _training(name: str, material: Material, number_loss: float) -> Part:
    train = material.metrics.get("train")
    if not train:
        return Part(missing=["No training run has written its metrics yet."])
    kept = train.get("best_step")
    part = Part(notes=sentences.training(material.curves, kept))
    losses = {n: material.curves.get(f"{n}_loss", []) for n in ("train", "validation")}
    if any(losses.values()):
        title = f"{material.task}: losses over steps. {part.notes[0]}"
        svg = figures.losses(f"{name}-loss", title, losses["train"], losses["validation"], kept)
        part.figures.append(Figure("Loss", _loss_of(material.kind, number_loss), svg))
    else:
        part.missing.append("No curves of the losses were written.")
    rates = material.curves.get("learning_rate")
    if rates:
        title = f"{material.task}: learning rate over steps, at most {max(r for _, r in rates):g}"
        svg = figures.line(f"{name}-rate", title, rates, "learning rate")
        part.figures.append(Figure("Learning rate", "", svg))
    return part


def _loss_of(kind: str, number_loss: float) -> str:
    loss = "Cross-entropy of an answer's tokens, in nats per token"
    if kind == "price" and number_loss:
        return (
            f"{loss}; where prices are single tokens, plus {number_loss:g} times the expected "
            "error in 100 USD."
        )
    return f"{loss}."


def _data(name: str, material: Material) -> Part:
    data = material.metrics.get("data", {})
    lengths = facts.tokens(material.metrics.get("train", {}))
    part = Part(notes=[said for said in (facts.dropped(data), lengths) if said])
    fields = {
        "summarization": (("dialogue", "words of a dialogue"), ("summary", "words of a summary")),
        "price": (("text", "words of a description"), ("price", "price in USD")),
    }[material.kind]
    for field_name, label in fields:
        is_price = field_name == "price"
        series = {
            split: [
                float(row[field_name]) if is_price else len(row[field_name].split())
                for row in material.rows.get(split, [])
            ]
            for split in ("train", "test")
        }
        series = {split: values for split, values in series.items() if values}
        if not series:
            continue
        medians = ", ".join(
            f"{split} {numbers.number(statistics.median(v), 0)}" for split, v in series.items()
        )
        svg = figures.histogram(
            f"{name}-{field_name}", f"{material.task}: {label}; median {medians}", series, label,
            log=is_price,
        )  # fmt: skip
        heading = label[0].upper() + label[1:]
        part.figures.append(Figure(heading, f"Median: {medians}.", svg))
    if not part.figures:
        part.missing.append("No prepared rows were there to draw.")
    return part


def _without_paths(values: dict[str, Any]) -> dict[str, Any]:
    """A section's parameters; of absolute paths, such as that of a model, only the last name."""
    return {k: without_folders(v) if isinstance(v, str) else v for k, v in values.items()}


def _told(task: SummarizationTask | PriceTask, used: str | None) -> dict[str, Any]:
    """A task's parameters; of its sources the used one, and without what stands elsewhere."""
    values = task.model_dump(exclude={"published"})
    if used in values["source"]:
        values["source"] = {used: values["source"][used]}
    return values


def _yaml(values: object) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
