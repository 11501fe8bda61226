"""What a situation is: the data from which dialogues, summaries and retellings are filled in.

Templates are `str.format` strings. `{a}`, `{b}`, `{c}` are the people in their roles, every other
field is a slot. A `told` template also has `{a_me}` and `{a_my}`, the object and the possessive of
a role, so that the same clause can be told by an onlooker ("Anna asked Tom") or by one of the
speakers ("Anna asked me").
"""

from dataclasses import dataclass
from functools import cached_property

ROLES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Beat:
    """A turn that carries facts.

    `told` is the same content as a clause in the past tense. `slip` names a slot that the speaker
    may first get wrong here and put right later.
    """

    speaker: str
    told: str
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
        """How many people the situation needs."""
        return 1 + max(ROLES.index(beat.speaker) for beat in self.beats)

    @cached_property
    def slips(self) -> tuple[int, ...]:
        """The beats whose speaker may get a slot wrong."""
        return tuple(index for index, beat in enumerate(self.beats) if beat.slip)
