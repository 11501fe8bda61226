"""Rows worth reading, for kinds whose answers are texts: the best, the middle and the worst."""

from collections.abc import Callable
from dataclasses import dataclass

from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.overlap import Span, overlap
from finetune.reporting.rows import answered_rows
from finetune.scoring.metrics import answered


@dataclass(frozen=True, kw_only=True)
class TextExample:
    """A row's input with its references and what both models answered.

    `base_score` is None where the base model was not asked, has no answer, or one that the metric
    does not count.
    """

    title: str
    id: str
    input: str
    references: list[str]
    base: list[Span]
    base_score: float | None
    base_has_answer: bool
    tuned: list[Span]
    tuned_score: float


def plain(prediction: Row) -> list[Span]:
    """An answer without marks."""
    return [(prediction["prediction"], False)] if prediction["prediction"] else []


def shared_words(prediction: Row) -> list[Span]:
    """An answer with what it shares with its reference; of several, with that sharing most."""
    spans = [
        overlap(prediction["prediction"], reference)
        for reference in prediction.get("references") or [prediction["reference"]]
    ]
    return max(spans, key=lambda of: sum(len(piece) for piece, shared in of if shared))


def text_examples(
    artifacts: TaskArtifacts,
    input_field: str,
    mark: Callable[[Row], list[Span]] = plain,
) -> list[TextExample]:
    """The best, the middle and the worst row that the tuned model answered; fewer of few rows.

    `input_field` is that of a prepared row's input, `mark` divides an answer into what is marked
    and what is not.
    """
    metric, predictions = artifacts.primary, answered_rows(artifacts, "tuned")
    ranked = sorted(predictions, key=lambda row: -metric.row_sign * metric.of_row(row))
    inputs = {row["id"]: row[input_field] for row in artifacts.rows.get("test", [])}
    bases = {row["id"]: row for row in artifacts.predictions.get("base", [])}
    examples = []
    for place, title in _places(len(ranked)).items():
        row = ranked[place]
        base = bases.get(row["id"])
        answer = base if base and answered(artifacts.kind.flags, base) else None
        examples.append(
            TextExample(
                title=title,
                id=str(row["id"]),
                input=inputs.get(row["id"], ""),
                references=row.get("references") or [row["reference"]],
                base=mark(base) if base else [],
                base_score=metric.of_row(answer) if answer and metric.counts(answer) else None,
                base_has_answer=not base or answer is not None,
                tuned=mark(row),
                tuned_score=metric.of_row(row),
            )
        )
    return examples


def _places(count: int) -> dict[int, str]:
    """Places among ranked rows, in their order, and what they are called."""
    if count < 3:
        return ({}, {0: "The only row"}, {0: "Best row", 1: "Worst row"})[count]
    return {0: "Best row", count // 2: "Middle row", count - 1: "Worst row"}


def shortened(text: str, length: int) -> str:
    """A text of at most `length` characters, an ellipsis where something is left out."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
