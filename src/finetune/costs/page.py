"""The page: what it costs, and from which volume on it pays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.core.paths import without_folders
from finetune.costs import figure, shown
from finetune.costs.assessment import Assessment, TaskCosts
from finetune.reporting import templates
from finetune.reporting.parts import Figure, Table
from finetune.scoring import numbers

TEMPLATE = Path(__file__).parent / "costs.html.j2"
CAPTION = (
    "Of the tuned model and the cheapest of the hosted ones. A machine that is kept on costs the "
    "same whether it is asked or not; where it is full, there is a second one. Where lines cross, "
    "the other one becomes cheaper."
)


@dataclass(frozen=True)
class View:
    """What the template shows of a task; `anchor` is unique in the page."""

    anchor: str
    name: str
    sentences: Sequence[str]
    answers: Table
    figure: Figure | None
    break_even: Table
    request: str
    speeds: Table
    missing: Sequence[str]


def html(of: Assessment) -> str:
    """The page over all tasks."""
    confidence = of.settings.bootstrap.confidence
    return templates.render(
        TEMPLATE,
        tasks=[_view(f"t{i}", task, confidence) for i, task in enumerate(of.tasks, 1)],
        model_name=without_folders(of.settings.model.name),
        confidence=numbers.percent(confidence),
        assumptions=shown.assumptions(of),
        warning=of.warning,
    )


def _view(anchor: str, of: TaskCosts, confidence: float) -> View:
    svg = figure.monthly(f"{anchor}-monthly", of)
    narrow = figure.monthly(f"{anchor}-monthly-narrow", of, is_narrow=True)
    return View(
        anchor=anchor,
        name=of.task,
        sentences=shown.sentences(of, confidence),
        answers=shown.answers(of),
        figure=None if svg is None else Figure("Costs a month", CAPTION, svg, narrow),
        break_even=shown.break_even(of),
        request=shown.requested(of),
        speeds=shown.speeds(of),
        missing=of.remarks,
    )
