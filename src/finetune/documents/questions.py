"""Questions that a passage answers: from its headings, by templates that its own hash chooses."""

import hashlib
import re
from collections.abc import Iterator

from finetune.documents.passages import Passage

# {heading}: the passage's own; {page}: the headings above it.
OF_SECTION = (
    "What does “{page}” say about “{heading}”?",
    "What is there to know about “{heading}” in “{page}”?",
    "Explain “{heading}”, as in “{page}”.",
    "What is written below “{heading}” in “{page}”?",
)
OF_PAGE = (
    "What is “{heading}” about?",
    "How does “{heading}” begin?",
    "Introduce “{heading}”.",
)
OF_TASK = (
    "How do I {task}? (“{page}”)",
    "What are the steps to {task}, as in “{page}”?",
    "I want to {task}. What does “{page}” say?",
)
OF_CLAUSE = (
    "Explain {clause} (“{page}”).",
    "Can you tell me {clause}, as in “{page}”?",
    "I would like to know {clause} (“{page}”).",
)
OF_TERM = (
    "What does “{term}” mean in “{page}”?",
    "What is “{term}”, as in “{page}”?",
    "Define “{term}” (“{page}”).",
)
# First words of headings that say a clause: how it works, what it takes.
CLAUSES = ("how", "what", "why", "when", "where", "which", "who")
# First words of headings that say what one does.
TASKS = frozenset(
    re.findall(
        r"\w+",
        """
        add adjust apply ask attach back build call change check choose clean clone collect
        combine compare compile configure connect convert copy create define delete deploy
        disable download edit enable evaluate export extend filter find fix format get go import
        improve include initialize inspect install integrate join label launch load log make
        manage measure merge migrate monitor move open order organize pin prepare preview
        publish pull push put query quit read rebuild recover register reinstall release remove
        rename repair replace report request reset resize resolve restart restore resume retry
        return review rotate run save schedule scale search select send serve set share show
        sign split start stop store submit switch test train transfer troubleshoot try tune turn
        undo uninstall unlock update upgrade upload use validate verify view write
        """,
    )
)


def questions(passage: Passage, count: int) -> Iterator[str]:
    """Up to so many questions that the passage answers: the document's own one first.

    The same passage gives the same ones, whatever else there is.
    """
    if passage.kind == "faq":
        yield passage.asked
        return
    templates, values = _templates(passage)
    digest = hashlib.sha256("\n".join((*passage.headings, passage.asked, passage.text)).encode())
    first = int.from_bytes(digest.digest()[:8])
    for place in range(min(count, len(templates))):
        yield templates[(first + place) % len(templates)].format_map(values)


def _templates(passage: Passage) -> tuple[tuple[str, ...], dict[str, str]]:
    *above, heading = passage.headings
    page = ": ".join(above) or passage.document
    if passage.kind == "definition":
        return OF_TERM, {"term": passage.asked, "page": ": ".join(passage.headings)}
    lower = heading[:1].lower() + heading[1:]
    first = heading.partition(" ")[0].lower()
    if first in CLAUSES and " " in heading:
        return OF_CLAUSE, {"clause": lower, "page": page}
    if first in TASKS and " " in heading:
        return OF_TASK, {"task": lower, "page": page}
    if not above:
        return OF_PAGE, {"heading": heading}
    return OF_SECTION, {"heading": heading, "page": page}
