"""Baselines of final answers: one of train, or a number of the question itself."""

from collections import Counter
from collections.abc import Callable, Sequence

from finetune.core.text import normalized, text_field
from finetune.scoring.baselines import Answers, Baseline, Splits
from finetune.scoring.metrics import Row
from finetune.scoring.neighbours import nearest
from finetune.tasks.math.options import MathScore
from finetune.tasks.math.scores import final_answer, number_text

# Rows to answers, once a baseline has been fitted.
Fitted = Callable[[Sequence[Row]], Answers]


def guess(value: object) -> str:
    """Somebody's own answer: a number, or a text that is read like a model's.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return normalized(text_field({"answer": value}, "answer"))


def most_frequent(splits: Splits, options: MathScore) -> Fitted:
    """The final answer that train has most often; of several, the first."""
    ((answer, _count),) = Counter(_answers(splits["train"], options)).most_common(1)
    return lambda rows: Answers([answer] * len(rows))


def last_number(splits: Splits, options: MathScore) -> Fitted:
    """The last number of the question; no answer where it has none."""
    return lambda rows: Answers([_number(row["question"], options) for row in rows])


def neighbour(splits: Splits, options: MathScore) -> Fitted:
    """The final answer of the train row with the most similar question, by TF-IDF of words."""
    questions = [row["question"] for row in splits["train"]]
    known, search = _answers(splits["train"], options), nearest(questions)

    def answer(rows: Sequence[Row]) -> Answers:
        found = search([row["question"] for row in rows], questions)
        return Answers([known[index] for index in found])

    return answer


BASELINES = (
    Baseline("most_frequent", "the answer that train has most often", most_frequent),
    Baseline("last_number", "the last number of the question", last_number),
    Baseline("neighbour", "the answer to the most similar question", neighbour),
)


def _answers(rows: Sequence[Row], options: MathScore) -> list[str]:
    """The rows' own final answers."""
    return [_number(row["answer"], options) for row in rows]


def _number(text: str, options: MathScore) -> str:
    """The final answer of a text, or its last number; empty where it has none."""
    return number_text(final_answer(text, options.marker, "last_number")) or ""
