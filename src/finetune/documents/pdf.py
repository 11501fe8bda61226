"""Blocks of PDF files, by pdfminer.six: headings are larger than the text, or bold.

A PDF has glyphs and their places, no paragraphs: what stands together is one, by the layout
analysis of pdfminer. Lines that most pages repeat, such as their headers, are left out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pdfminer.high_level import extract_pages
from pdfminer.layout import LTChar, LTFigure, LTImage, LTTextContainer, LTTextLine

from finetune.documents.blocks import Block, Parsed

# How many times as large as the text a heading is at least.
HEADING_SIZE = 1.12
HEADING_WORDS = 16
# Headers and footers are among so many lines at either end of a page, and on so many pages, or on
# half of them where that is more; numbers in them may differ.
END_LINES, REPEATED_PAGES = 2, 3
_BOLD = re.compile(r"bold|black|heavy|semibold|demi", re.IGNORECASE)
# A line of a table of contents or of an index: dots lead to a page's number.
_LEADERS = re.compile(r"(?:\. ?){5,}[\divxlc, ]*$")
_ITEM = re.compile(r"(?:[•▪◦‣·*-]|\d+[.)])\s+")


@dataclass(frozen=True)
class Line:
    """A line of a page; `group` is the number of the piece of text that it stands in."""

    text: str
    size: float
    is_bold: bool
    page: int
    group: int


def read(path: Path) -> Parsed:
    """The blocks of a file; pdfminer raises errors of many types where it is none.

    Raises:
        ValueError: no page has text.
    """
    parsed = Parsed([])
    lines = list(_lines(path, parsed))
    if not lines:
        raise ValueError("no text in it; scanned pages need text recognition (OCR) first")
    kept = _without_repeated(lines)
    if len(kept) < len(lines):
        parsed.left_out["page headers and footers"] = len(lines) - len(kept)
    parsed.blocks.extend(blocks(kept))
    return parsed


def _lines(path: Path, parsed: Parsed) -> Iterator[Line]:
    group = 0
    for number, page in enumerate(extract_pages(path), start=1):
        for element in page:
            if isinstance(element, LTFigure | LTImage):
                parsed.left_out["images"] += 1
            if not isinstance(element, LTTextContainer):
                continue
            group += 1
            for line in element:
                text = " ".join(line.get_text().split()) if isinstance(line, LTTextLine) else ""
                chars = [char for char in line if isinstance(char, LTChar)] if text else []
                if chars and _LEADERS.search(text):
                    parsed.left_out["lines of contents and indices"] += 1
                elif chars:
                    sizes = Counter(round(char.size, 1) for char in chars)
                    is_bold = all(_BOLD.search(c.fontname) for c in chars if c.get_text().strip())
                    yield Line(text, sizes.most_common(1)[0][0], is_bold, number, group)


def _without_repeated(lines: Sequence[Line]) -> list[Line]:
    """The lines without headers and footers: those at an end of most pages, and page numbers."""
    pages: dict[int, list[Line]] = {}
    for line in lines:
        pages.setdefault(line.page, []).append(line)
    ends = {id(n) for page in pages.values() for n in (*page[:END_LINES], *page[-END_LINES:])}
    on = Counter(key for key, _ in {(_repeated(n), n.page) for n in lines if id(n) in ends})
    least = max(REPEATED_PAGES, len(pages) / 2)

    def is_kept(line: Line) -> bool:
        is_number = line.text.isdecimal() and len(pages) > 1
        return id(line) not in ends or not (is_number or on[_repeated(line)] >= least)

    return [line for line in lines if is_kept(line)]


def _repeated(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text)


def blocks(lines: Sequence[Line]) -> list[Block]:
    """The blocks of lines: headings by their size and weight, paragraphs by what stands together.

    Larger headings are above smaller ones, and bold ones of the text's size below them all.
    """
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted({n.size for n in lines if n.size >= HEADING_SIZE * body}, reverse=True)
    mostly_bold = sum(line.is_bold for line in lines) > len(lines) / 2
    found: list[Block] = []
    part: list[Line] = []

    def close() -> None:
        if part:
            found.append(_paragraph(part))
            part.clear()

    before: tuple[int, Line] | None = None
    for line in lines:
        level = larger.index(line.size) + 1 if line.size in larger else 0
        if not level and line.is_bold and not mostly_bold and not line.text.endswith("."):
            level = len(larger) + 1
        if level and len(line.text.split()) <= HEADING_WORDS:
            close()
            if before and before[0] == level and before[1].group == line.group:
                # A heading of several lines.
                found[-1] = Block("heading", f"{found[-1].text} {line.text}", level, line.page)
            else:
                found.append(Block("heading", line.text, level, line.page))
            before = level, line
            continue
        before = None
        if part and (line.group != part[-1].group or _ITEM.match(line.text)):
            close()
        part.append(line)
    close()
    return found


def _paragraph(lines: Sequence[Line]) -> Block:
    text = lines[0].text
    for line in lines[1:]:
        if re.search(r"[a-z]-$", text) and line.text[:1].islower():
            text = text[:-1] + line.text  # a word that the line's end divides
        else:
            text = f"{text} {line.text}"
    return Block("item" if _ITEM.match(text) else "paragraph", text, page=lines[0].page)
