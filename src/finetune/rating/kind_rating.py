"""What a kind says of how people rate its answers: its `rate.py`, which may be missing."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KindRating:
    """What a rater is asked.

    `hint` says by what to decide, `input` what the text is that was asked about. Where answers are
    numbers they are in `unit`, or in what the task's parameter `prompt.<unit_param>` says.
    """

    question: str = "Which answer is better?"
    hint: str = ""
    input: str = "Text"
    unit: str = ""
    unit_param: str = ""
