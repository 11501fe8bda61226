"""From a document's blocks to passages that answer something: sections, questions, definitions."""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

from finetune.documents.blocks import Block
from finetune.documents.reading import Document

Kind = Literal["section", "faq", "definition"]
# The number of a heading: 2.1, 2. or 2 before a capital letter.
_NUMBER = re.compile(r"^(?:\d+(?:\.\d+)+\.?|\d+\.|\d+(?=\s+[A-Z]))\s+(?=\S)")


@dataclass(frozen=True)
class Passage:
    """A text of a document that answers something.

    headings: those above it, from the document's first level on; its own is the last. asked: the
    question that the document itself has, of `faq`, or the term, of `definition`. page: where it
    begins, of a format that has pages. whole: all that stands there, where the text is its
    beginning.
    """

    kind: Kind
    document: str
    headings: tuple[str, ...]
    text: str
    asked: str = ""
    page: int | None = None
    whole: str = ""

    @property
    def words(self) -> int:
        """How many words the text has."""
        return len(self.text.split())

    @property
    def where(self) -> str:
        """The document and its headings, for people."""
        return f"{self.document}: {' > '.join(self.headings)}"


@dataclass
class _Open:
    """A passage that is being read."""

    headings: tuple[str, ...]
    page: int | None
    asked: str = ""
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Bounds:
    """How many words a passage may have, and kinds of blocks that are left out.

    shorten: a longer one ends after the last block that is within `max_words`.
    """

    min_words: int
    max_words: int
    leave_out: Collection[str] = ()
    shorten: bool = False


def passages(document: Document, bounds: Bounds, left_out: Counter[str]) -> list[Passage]:
    """The passages of a document; what is left out is counted by its reason.

    A heading, or a line in bold, that ends with a question mark opens an answer; each other heading
    a section, up to the next heading. Definitions are pairs of their own beside their section.
    """
    left_out.update(document.parsed.left_out)
    found: list[Passage] = []
    for opened in _opened(document, bounds, left_out):
        text = _text(opened.blocks)
        if not text:
            if opened.headings:
                left_out["headings without a text of their own"] += 1
        elif not (opened.headings or opened.asked):
            left_out["texts without a heading"] += 1
        else:
            kind: Kind = "faq" if opened.asked else "section"
            shorter = _shortened(opened.blocks, bounds)
            if shorter:
                left_out["ends of texts that are longer, by --shorten"] += 1
            whole = text if shorter else ""
            found.append(
                Passage(kind, document.name, opened.headings, shorter or text, opened.asked,
                        opened.page, whole)
            )  # fmt: skip
        for block in opened.blocks:
            if block.term:
                headings = opened.headings or (document.name,)
                found.append(
                    Passage("definition", document.name, headings, block.meaning, block.term,
                            block.page or opened.page)
                )  # fmt: skip
    return [passage for passage in found if _fits(passage, bounds, left_out)]


def _fits(passage: Passage, bounds: Bounds, left_out: Counter[str]) -> bool:
    if passage.words < bounds.min_words:
        left_out[f"{passage.kind}: shorter than {bounds.min_words} words"] += 1
    elif passage.words > bounds.max_words:
        left_out[f"{passage.kind}: longer than {bounds.max_words} words"] += 1
    else:
        return True
    return False


def _shortened(blocks: list[Block], bounds: Bounds) -> str:
    """The beginning of a text that is too long; nothing where it is not, or is one long block."""
    words = list(itertools.accumulate(len(block.text.split()) for block in blocks))
    if not bounds.shorten or words[-1] <= bounds.max_words:
        return ""
    kept = blocks[: sum(count <= bounds.max_words for count in words)]
    # A line that announces what is left out says nothing.
    while kept and kept[-1].kind == "paragraph" and kept[-1].text.endswith(":"):
        kept.pop()
    return _text(kept)


def _opened(document: Document, bounds: Bounds, left_out: Counter[str]) -> Iterator[_Open]:
    stack: list[tuple[int, str]] = []
    opened = _Open((), None)
    for block in document.parsed.blocks:
        if block.kind == "heading":
            yield opened
            stack = [(level, text) for level, text in stack if level < block.level]
            heading = _NUMBER.sub("", block.text)
            stack.append((block.level, heading))
            asked = heading if is_question(heading) else ""
            opened = _Open(tuple(text for _, text in stack), block.page, asked)
        elif block.is_bold and is_question(block.text):
            yield opened
            headings = tuple(text for _, text in stack)
            opened = _Open(headings or (document.name,), block.page or opened.page, block.text)
        elif block.kind in bounds.leave_out:
            left_out[f"{block.kind} blocks"] += 1
        else:
            opened.blocks.append(block)
    yield opened


def is_question(text: str) -> bool:
    """Whether a heading or a line asks something."""
    return text.rstrip().endswith(("?", "？")) and len(text.split()) > 1


def _text(blocks: list[Block]) -> str:
    """The blocks as one text: items of a list on lines of their own, all else in paragraphs."""
    parts: list[str] = []
    before = ""
    for block in blocks:
        if parts:
            parts.append("\n" if before == block.kind == "item" else "\n\n")
        parts.append(block.text)
        before = block.kind
    return "".join(parts).strip()
