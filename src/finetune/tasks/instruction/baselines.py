"""Baselines of responses: one of train, or a sentence of what the row itself says."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from finetune.core.schema import Score
from finetune.core.text import normalized, text_field
from finetune.scoring.baselines import Answers, Baseline, Splits
from finetune.scoring.metrics import Row
from finetune.scoring.neighbours import nearest
from finetune.tasks.instruction.rows import prompt_text

# Rows to answers, once a baseline has been fitted.
Fitted = Callable[[Sequence[Row]], Answers]
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def guess(value: object) -> str:
    """Somebody's own response.

    Raises:
        ValueError: it is no text.
    """
    return normalized(text_field({"response": value}, "response"))


def most_common(splits: Splits, _: Score) -> Fitted:
    """The response that stands in train most often; of several, the first."""
    ((response, _count),) = Counter(row["response"] for row in splits["train"]).most_common(1)
    return lambda rows: Answers([response] * len(rows))


def neighbour(splits: Splits, _: Score) -> Fitted:
    """The response of the train row with the most similar prompt, by TF-IDF of words."""
    prompts = [_prompt(row) for row in splits["train"]]
    search = nearest(prompts)

    def answer(rows: Sequence[Row]) -> Answers:
        found = search([_prompt(row) for row in rows], prompts)
        return Answers([splits["train"][index]["response"] for index in found])

    return answer


def context_sentence(splits: Splits, _: Score) -> Fitted:
    """The sentence of the context that is most like the instruction, by TF-IDF of words.

    Where there is no context, the first sentence of the instruction: what saying the task again
    comes to.
    """
    search = nearest([_prompt(row) for row in splits["train"]])

    def sentence(row: Row) -> str:
        candidates = sentences(row.get("context", ""))
        if not candidates:
            return next(iter(sentences(row["instruction"])), "")
        (index,) = search([row["instruction"]], candidates)
        return candidates[index]

    return lambda rows: Answers([sentence(row) for row in rows])


BASELINES = (
    Baseline("most_common", "the response that train has most often", most_common),
    Baseline("context_sentence", "the fitting sentence of the context", context_sentence),
    Baseline("neighbour", "the response to the most similar prompt", neighbour),
)


def sentences(text: str) -> list[str]:
    """The sentences of a text; a line's end is a sentence's end."""
    return [sentence for sentence in map(str.strip, _SENTENCE_END.split(text)) if sentence]


def _prompt(row: Row) -> str:
    return prompt_text(row["instruction"], row.get("context", ""))
