"""The report on a task's data: what was left out on the way, and what the rows are like."""

import statistics

from finetune.describing import sections
from finetune.describing.sections import Section
from finetune.reporting import facts, figures
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.parts import Figure, Part, Series
from finetune.scoring import numbers


def inputs(name: str, artifacts: TaskArtifacts) -> Part:
    """Counts and shift in sentences, and a histogram of each series of the kind."""
    dropped = facts.dropped(artifacts.metrics.get("data", {}))
    lengths = facts.tokens(artifacts.metrics.get("train", {}))
    card = artifacts.data_card
    shift = sections.shift_sentences(card) if card else []
    part = Part(notes=[sentence for sentence in (dropped, lengths, *shift) if sentence])
    for i, series in enumerate(artifacts.kind.report.series, 1):
        figure = _histogram(f"{name}-series-{i}", artifacts, series)
        if figure:
            part.figures.append(figure)
    if not part.figures:
        part.missing.append("No prepared rows were there to draw.")
    return part


def card(artifacts: TaskArtifacts) -> list[Section]:
    """The data card, but for what stands in the sentences and for source and counts."""
    if not artifacts.data_card:
        return []
    return sections.sections(artifacts.data_card, artifacts.metrics.get("data", {}))


def _histogram(name: str, artifacts: TaskArtifacts, series: Series) -> Figure | None:
    """A series of train and of test; None where there are no rows."""
    values = {
        split: [series.value(row) for row in rows]
        for split in ("train", "test")
        if (rows := artifacts.rows.get(split))
    }
    if not values:
        return None
    medians = ", ".join(
        f"{split} {numbers.number(statistics.median(of), 0)}" for split, of in values.items()
    )
    title = f"{artifacts.task}: {series.label}; median {medians}"
    svg = figures.histogram(name, title, values, series.label, log=series.is_log)
    return Figure(series.label[0].upper() + series.label[1:], f"Median: {medians}.", svg)
