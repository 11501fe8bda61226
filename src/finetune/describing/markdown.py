"""The data card as a Markdown file, `reports/data/<task>.md`.

Names and texts come from data: what Markdown or HTML would take for its own is escaped.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from finetune.core.paths import without_folders
from finetune.describing.sections import Section, sections, shift_sentences
from finetune.scoring.numbers import number

# A bracket only where it would make a link.
_MARKS = re.compile(r"([\\`*_|~]|(?<=\])[(\[])")


def page(task: str, card: Mapping[str, Any], counts: Mapping[str, Mapping[str, int]]) -> str:
    """The card's text; `counts` are those of `data.json` by split."""
    blocks = [
        f"# Data of {_escaped(task)}",
        *_origin(card),
        *_section(_counts(counts)),
        *_section(Section("Are train and test alike?", shift_sentences(card))),
        *(block for each in sections(card, counts, with_bars=True) for block in _section(each)),
        *_examples(card),
    ]
    return "\n\n".join(blocks) + "\n"


def _origin(card: Mapping[str, Any]) -> list[str]:
    licence = f"Licence: {_escaped(card['licence'])}."
    rows = ", ".join(f"{name} {number(n, 0)}" for name, n in card["rows"].items())
    facts = [[key, value] for key, value in _flat(card["source"])]
    return [
        f"{licence} Rows that a model sees: {rows}.",
        *_section(Section("Where it came from", [], ["", ""], facts)),
    ]


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{before}{key if '.' in key else key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            facts += _flat(value, f"{name} ")
        else:
            facts.append((name, without_folders(str(value))))
    return facts


def _counts(counts: Mapping[str, Mapping[str, int]]) -> Section:
    names = list(dict.fromkeys(name for split in counts.values() for name in split))
    rows = [
        [name.replace("_", " "), *(number(split.get(name), 0) for split in counts.values())]
        for name in names
    ]
    return Section("What became of the rows", [], ["rows", *counts], rows)


def _section(of: Section) -> list[str]:
    blocks = [f"## {_escaped(of.title)}", *map(_escaped, of.notes)]
    if of.rows:
        blocks.append(_table(of.head, of.rows))
    return blocks


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    cells = [[cell if line is lines[1] else _escaped(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _examples(card: Mapping[str, Any]) -> list[str]:
    if not card["texts_may_be_shown"]:
        return ["## Examples", "None are shown: the licence does not plainly allow it."]
    blocks = ["## Examples"]
    for row in card["examples"]:
        blocks += [f"Row {_escaped(row['id'])}:", _fenced(row["input"]), _fenced(row["target"])]
    return blocks


def _fenced(text: str) -> str:
    """A text as a block of code, fenced by more backticks than it holds in a row."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _escaped(text: str) -> str:
    return _MARKS.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
