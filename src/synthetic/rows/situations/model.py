"""Situations: the templates of dialogues, summaries and retellings.

Templates are `str.format` strings. `{a}`, `{b}`, `{c}` are the people in their roles, every other
field is a slot. A `clause` template also has `{a_me}` and `{a_my}`, the object and the possessive
of a role, so that it fits a report in the third person ("Anna asked Tom") as well as one by a
speaker ("Anna asked me").
"""

from dataclasses import dataclass
from functools import cached_property

ROLES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Beat:
    """A turn that carries facts.

    `clause` is its content in the past tense. `slip` names a slot of which the speaker may first
    give a wrong value, to be corrected later.
    """

    speaker: str
    clause: str
    phrasings: tuple[str, ...]
    slip: str = ""


@dataclass(frozen=True)
class Situation:
    """A kind of conversation; each of its slots is stated in some beat.

    `questions` are pairs of a question and its answer, `todos` pairs of a role and what that
    person has to do, in the infinitive.
    """

    kind: str
    slots: dict[str, tuple[str, ...]]
    beats: tuple[Beat, ...]
    summaries: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]
    todos: tuple[tuple[str, str], ...]

    @cached_property
    def cast(self) -> int:
        """The number of participants."""
        return 1 + max(ROLES.index(beat.speaker) for beat in self.beats)

    @cached_property
    def slips(self) -> tuple[int, ...]:
        """Indices of the beats in which a slot may get a wrong value."""
        return tuple(index for index, beat in enumerate(self.beats) if beat.slip)
