"""What the data card counts of dialogues with summaries."""

import re

from finetune.describing.kind_card import KindCard, Measure
from finetune.tasks.summarization.rows import Row

# How a line begins that says who speaks, such as `Ann: `.
_SPEAKER = re.compile(r"([^\s:][^:\n]{0,30}):(?:\s|$)")


def speakers(text: str) -> list[str]:
    """Who speaks in each line of a dialogue that says so, in order."""
    return [match[1].strip() for line in text.split("\n") if (match := _SPEAKER.match(line))]


def _speakers(row: Row) -> float | None:
    """How many there are; none in a text that is no dialogue."""
    return len(set(speakers(row.dialogue))) or None


def _turns(row: Row) -> float | None:
    return len(speakers(row.dialogue)) or None


# Without names, which are texts of the rows.
CARD = KindCard(
    measures=(
        Measure(title="speakers of a dialogue", of=_speakers),
        Measure(title="turns of a dialogue", of=_turns),
    )
)
