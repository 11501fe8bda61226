"""Blocks of plain text: headings are recognized by underlines, numbers, capitals or how they stand.

A heading is a line that is underlined, or stands between empty lines and is numbered (`2.1 Keys`),
in capitals, or short and without an end of a sentence.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from finetune.documents.blocks import Block, Parsed

UNDERLINES = "=-~^\"'`#*+"
# Words of a heading, at most.
HEADING_WORDS = 10
_UNDERLINE = re.compile(rf"([{re.escape(UNDERLINES)}])\1{{2,}}\s*")
_NUMBERED = re.compile(r"(\d+(?:\.\d+)*)\.?\s+(\S.*)")
_ITEM = re.compile(r"\s*(?:[-*•+]|\d+[.)])\s+\S")
# A line that asks, and what opens its answer.
_ASKED = re.compile(r"\s*(?:Q|Question)\s*[:.]\s*(\S.*)", re.IGNORECASE)
_ANSWERED = re.compile(r"\s*(?:A|Answer)\s*[:.]\s*", re.IGNORECASE)
_TERM = re.compile(r"\s*([^\s:][^:.!?]{0,60}):\s+(\S.*)", re.DOTALL)


def read(path: Path) -> Parsed:
    """The blocks of a file.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return parse(path.read_bytes().decode("utf-8-sig"))


def parse(text: str) -> Parsed:
    """The blocks of a text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").split("\n")
    levels: dict[str, int] = {}
    blocks: list[Block] = []
    for group in _groups(lines):
        blocks += _blocks(group, levels)
    return Parsed(blocks)


def _groups(lines: list[str]) -> Iterator[list[str]]:
    """Lines between empty ones."""
    group: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            group.append(line.rstrip())
        elif group:
            yield group
            group = []


def _blocks(lines: list[str], levels: dict[str, int]) -> Iterator[Block]:
    """The blocks of a group; `levels` are those of the underlines so far."""
    if len(lines) > 2 and _UNDERLINE.fullmatch(lines[0]):  # a line above the heading too
        lines = lines[1:]
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]):
        level = levels.setdefault(lines[1][0], len(levels) + 1)
        yield Block("heading", lines[0].strip(), level=level)
        lines = lines[2:]
    elif len(lines) == 1 and (level := _level(lines[0])):
        numbered = _NUMBERED.fullmatch(lines[0].strip())
        yield Block("heading", numbered[2] if numbered else lines[0].strip(), level=level)
        return
    if lines and all(line.startswith(("    ", "\t")) for line in lines):
        code = "\n".join(line.expandtabs(4)[4:] for line in lines)
        yield Block("code", f"```\n{code}\n```")
        return
    yield from _text(lines)


def _level(line: str) -> int:
    """The level of a heading that stands alone; 0 of another line."""
    text = line.strip()
    if len(text.split()) > HEADING_WORDS or text.endswith((".", ":", ";", ",", "!")):
        return 0
    if line.startswith(" ") or (_ITEM.match(line) and not _NUMBERED.fullmatch(text)):
        return 0
    if numbered := _NUMBERED.fullmatch(text):
        return 1 + numbered[1].count(".")
    if _ASKED.match(line) or not text[0].isalpha() or not text[0].isupper():
        return 0
    if text.isupper():
        return 1
    return 0 if _TERM.fullmatch(text) else 2


def _text(lines: list[str]) -> Iterator[Block]:
    """Paragraphs, items, questions with their answers, and definitions."""
    part: list[str] = []
    for line in [*lines, None]:
        opens = line is None or _ITEM.match(line) or _ASKED.match(line) or _ANSWERED.match(line)
        # Each definition of a glossary stands on a line of its own.
        if opens or (part and len(lines) > 1 and all(map(_TERM.fullmatch, lines))):
            if part:
                yield _line(part)
            part = []
        if line is not None:
            part.append(line)


def _line(lines: list[str]) -> Block:
    text = " ".join(line.strip() for line in lines)
    if asked := _ASKED.fullmatch(text):
        return Block("paragraph", asked[1], is_bold=True)
    answer = _ANSWERED.sub("", text, count=1) if _ANSWERED.match(text) else text
    if _ITEM.match(answer):
        return Block("item", answer)
    defined = _TERM.fullmatch(answer)
    if defined and len(defined[1].split()) <= 4 and len(lines) == 1:
        return Block("paragraph", answer, term=defined[1].strip(), meaning=defined[2])
    return Block("paragraph", answer)
