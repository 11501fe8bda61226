"""What a document is made of, whatever its format: headings, paragraphs, items, code, tables."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["heading", "paragraph", "item", "code", "table"]
# What stands between a term and its meaning on a line of its own.
_MARK = re.compile(r"\s*(?::|\s[–—-])\s+")
# Terms have at most so many words: more are a sentence with a colon in it.
TERM_WORDS = 6


@dataclass(frozen=True)
class Block:
    """A block of a document.

    level: of a heading, 1 for the topmost. page: where it begins, of a format that has pages.
    is_bold: all of its text is set in bold. term, meaning: of a line that defines one.
    """

    kind: Kind
    text: str
    level: int = 0
    page: int | None = None
    is_bold: bool = False
    term: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Parsed:
    """A document's blocks in their order, and how many of what has no text were left out."""

    blocks: list[Block]
    left_out: Counter[str] = field(default_factory=Counter)


def definition(bold: str, rest: str) -> tuple[str, str]:
    """Term and meaning of a line that begins with a bold text; two empty texts of another line.

    `**Term**: meaning`, `**Term:** meaning` and `**Term** – meaning` define a term.
    """
    term = bold.strip()
    if term.endswith(":"):
        term, rest = term[:-1], f": {rest.strip()}"
    mark = _MARK.match(rest)
    meaning = rest[mark.end() :].strip() if mark else ""
    is_term = 0 < len(term.split()) <= TERM_WORDS
    return (term.strip(), meaning) if is_term and meaning else ("", "")


def table(rows: Iterable[Iterable[str]]) -> str:
    """A table as text: a line a row, cells between bars."""
    lines = [" | ".join(" ".join(cell.split()) for cell in row) for row in rows]
    return "\n".join(line.strip() for line in lines if line.strip(" |"))


def fenced(code: str) -> str:
    """Code between fences, as Markdown has it."""
    return f"```\n{code.strip(chr(10))}\n```"
