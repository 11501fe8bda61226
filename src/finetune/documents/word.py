"""Blocks of Word files (.docx), by python-docx; headings are those of its styles."""

import re
from collections.abc import Iterator
from pathlib import Path

import docx
from docx.document import Document
from docx.table import Table, _Row
from docx.text.paragraph import Paragraph

from finetune.documents.blocks import Block, Parsed, definition, table

_HEADING = re.compile(r"Heading (\d)")


def read(path: Path) -> Parsed:
    """The blocks of a file; python-docx raises errors of many types where it is none."""
    document = docx.Document(str(path))
    parsed = Parsed(list(_blocks(document)))
    if images := len(document.inline_shapes):
        parsed.left_out["images"] = images
    return parsed


def _blocks(document: Document) -> Iterator[Block]:
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            if text := table(_cells(row) for row in item.rows):
                yield Block("table", text)
        elif text := " ".join(item.text.split()):
            yield _paragraph(item, text)


def _cells(row: _Row) -> list[str]:
    """The texts of a row; a merged cell, which python-docx repeats, once."""
    return [cell.text for cell in {id(cell._tc): cell for cell in row.cells}.values()]


def _paragraph(paragraph: Paragraph, text: str) -> Block:
    style = (paragraph.style.name if paragraph.style else None) or ""
    if style == "Title":
        return Block("heading", text, level=1)
    if heading := _HEADING.fullmatch(style):
        # Below the title, which is a document's first.
        return Block("heading", text, level=1 + int(heading[1]))
    runs = [run for run in paragraph.runs if run.text.strip()]
    is_bold = bool(runs) and all(run.bold for run in runs)
    term = meaning = ""
    if runs and runs[0].bold and not is_bold:
        count = next(i for i, run in enumerate(runs) if not run.bold)
        bold = " ".join("".join(run.text for run in runs[:count]).split())
        term, meaning = definition(bold, text[len(bold) :])
    if style.startswith("List"):
        return Block("item", f"- {text}", term=term, meaning=meaning)
    return Block("paragraph", text, is_bold=is_bold, term=term, meaning=meaning)
