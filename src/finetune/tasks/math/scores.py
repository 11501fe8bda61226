"""How solutions are scored: by their final answer, a number, and by how likely references are."""

import re
from collections import Counter, deque
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

from finetune.core.schema import Bootstrap
from finetune.scoring import draws
from finetune.scoring.metrics import (
    FLAGS as TEXT_FLAGS,
)
from finetune.scoring.metrics import (
    Flag,
    Group,
    Grouping,
    Metric,
    Prediction,
    Row,
    band,
)
from finetune.scoring.text_metrics import PERPLEXITY
from finetune.tasks.math.options import MathScore

FLAGS = (
    *TEXT_FLAGS,
    Flag(
        "no_answer",
        "no number where score.marker and score.fallback look for it",
        is_no_answer=True,
    ),
)
METRICS = (
    Metric(
        key="exact_match",
        columns=("exact_match",),
        title="exact match",
        meaning="final answers that are the reference's number; no answer is a wrong one",
        unit="%",
        decimals=1,
        is_rate=True,
        in_readme=True,
        in_groups=True,
    ),
    Metric(
        key="agreement",
        columns=("agreement",),
        title="agreement of samples",
        meaning="sampled solutions that give the answer of the majority",
        unit="%",
        is_percentage=True,
        decimals=1,
        higher_is_better=None,
    ),
    PERPLEXITY,
    draws.agreement_metric("pairs of draws of a question that end in the same final answer"),
)
# Lower ends of bands of a question's length.
WORDS = (0, 31, 46, 61)
MANY_STEPS = 6


def _steps(row: Row) -> Group:
    """The lines of the reference's solution: in GSM8K each is a step."""
    steps = sum(bool(line.strip()) for line in row["answer"].split("\n")[:-1])
    if steps >= MANY_STEPS:
        return MANY_STEPS, f"{MANY_STEPS}+ steps"
    return steps, f"{steps} step{'' if steps == 1 else 's'}"


def _length(row: Row) -> Group:
    return band(len(row["question"].split()), WORDS, "words")


GROUPINGS = (Grouping("steps", _steps), Grouping("length", _length))

# 42, 1,234.50, .5, 3/4 and 1 1/2, with a sign and a currency's sign in either order; a minus after
# a letter or digit is one of subtraction.
_NUMBER = (
    r"(?P<minus>(?<![^\W_])[-−–])?[+]?(?:[$€£¥]\s?)?(?P<minus_after_currency>(?<=[$€£¥])[-−–])?"
    r"(?<![^\W_])(?:"
    r"(?:(?P<units>\d+)\s+)?(?P<top>\d+)\s?/\s?(?P<bottom>[1-9]\d*)"
    r"|(?P<decimal>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?\.\d+|\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
    r")"
)
# A longer run of digits, such as a model's that repeats itself, is no answer.
MAX_CHARACTERS = 100
# What may stand before it: blanks, line ends, punctuation and Markdown's signs, but no word.
_BEFORE = r"[\W_]*?"
_ANYWHERE = re.compile(_NUMBER)
# With at most two words after it, such as its unit.
_ALONE = re.compile(rf"{_BEFORE}{_NUMBER}(?:\s?[^\W\d]+){{0,2}}[\W_]*")


def final_answer(
    text: str, marker: str, fallback: Literal["none", "last_number"]
) -> Fraction | None:
    """The number that a text ends up with; None where it has none.

    It is the first number that directly follows a marker, or else the text itself if that is
    nothing but a number and its unit, or else, with the fallback `last_number`, the last number in
    it. Signs, thousands separators, decimals and fractions are read; currencies, units and percent
    signs are passed over: `50 %` and `$50.00` are 50.
    """
    match = re.search(rf"{re.escape(marker)}{_BEFORE}{_NUMBER}", text, re.IGNORECASE)
    match = match or _ALONE.fullmatch(text)
    if match is None and fallback == "last_number":
        match = next(iter(deque(_ANYWHERE.finditer(text), maxlen=1)), None)
    return _value(match) if match and len(match[0]) <= MAX_CHARACTERS else None


def _value(match: re.Match[str]) -> Fraction:
    if match["top"]:
        value = int(match["units"] or 0) + Fraction(int(match["top"]), int(match["bottom"]))
    else:
        value = Fraction(match["decimal"].replace(",", ""))
    return -value if match["minus"] or match["minus_after_currency"] else value


def number_text(value: Fraction | None) -> str | None:
    """`42`, `0.5`, or `1/3` where decimals do not end."""
    if value is None:
        return None
    decimals = f"{float(value):.12g}"
    return decimals if Fraction(decimals) == value else str(value)


def majority(answers: Sequence[Fraction | None]) -> tuple[int, float]:
    """The index of the first sample with the most frequent answer, and the percentage that give it.

    Samples without an answer have no vote; of equally frequent answers the first one is taken.
    Where no sample has an answer, the first sample, and 0 %.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return 0, 0.0
    # Counter keeps the order of first occurrence among equals.
    ((answer, count),) = votes.most_common(1)
    return answers.index(answer), 100 * count / len(answers)


def score(
    rows: Sequence[Row], predictions: Sequence[Prediction], options: MathScore
) -> list[Prediction]:
    """Solutions scored by their final answer; of several samples by that of the majority.

    `answer` and `reference_answer` are the final answers as numbers, `sample_answers` those of all
    samples.
    """
    scored: list[Prediction] = []
    for row, prediction in zip(rows, predictions, strict=True):
        # Whatever marks it there: that a reference ends with a number has been checked.
        reference = final_answer(row["answer"], options.marker, "last_number")
        chosen = _voted(prediction, options) if "samples" in prediction else prediction
        answer = final_answer(chosen["prediction"], options.marker, options.fallback)
        scored.append(
            {
                "id": row["id"],
                "reference": row["answer"],
                **chosen,
                "answer": number_text(answer),
                "reference_answer": number_text(reference),
                "exact_match": 100.0 * (answer is not None and answer == reference),
                "no_answer": answer is None,
            }
        )
    return scored


def _voted(prediction: Prediction, options: MathScore) -> Prediction:
    """The prediction of the sample that stands for the majority, its flags included."""
    samples, capped = prediction["samples"], prediction["samples_hit_length_cap"]
    answers = [final_answer(text, options.marker, options.fallback) for text in samples]
    index, agreement = majority(answers)
    others = {
        key: value
        for key, value in prediction.items()
        if key not in ("samples", "samples_hit_length_cap")
    }
    return {
        **others,
        "prediction": samples[index],
        "hit_length_cap": capped[index],
        "empty": not samples[index],
        "sample_answers": [number_text(answer) for answer in answers],
        "agreement": round(agreement, 4),
    }


def draw_agreement(
    pairs: Sequence[tuple[Prediction, Prediction]], options: MathScore
) -> list[float]:
    """100 where two solutions of a question end in the same number."""
    return [100.0 * (one["answer"] == other["answer"]) for one, other in pairs]


def details(predictions: Sequence[Prediction], options: Bootstrap) -> dict[str, Any]:
    """Nothing beside the scores."""
    return {}
