"""The README, docs/ and the notebook as tests read them: sections, fenced blocks, commands."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks/first_run.ipynb"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), NOTEBOOK]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = ("sh", "bash", "console")
INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
# What a command of ours begins with; `make` alone is a word like any other.
COMMAND = re.compile(r"(?:dvc|finetune|make) \S")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


def text_of(page: Path) -> str:
    """A page's text; of the notebook its text cells, and its cells of shell as fenced blocks."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    shell = "%%bash\n"
    return "\n\n".join(
        f"```sh\n{source.removeprefix(shell)}\n```" if kind == "code" else source
        for kind, source in cells
        if kind == "markdown" or source.startswith(shell)
    )


def sections(page: Path) -> dict[str, str]:
    """A page's text by the headings of its second level."""
    text = page.read_text(encoding="utf-8")
    fenced = [match.span() for match in FENCED.finditer(text)]
    heads = [
        match
        for match in re.finditer(r"^## (.+)$", text, re.MULTILINE)
        if not any(start <= match.start() < end for start, end in fenced)
    ]
    ends = [*(match.start() for match in heads[1:]), len(text)]
    return {match[1]: text[match.end() : end] for match, end in zip(heads, ends, strict=True)}


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a text."""
    return [Block(match[1], match[2]) for match in FENCED.finditer(text)]


def without_blocks(text: str) -> str:
    """A text without fenced blocks and HTML comments: what a reader reads of it."""
    return re.sub(r"<!--.*?-->", "", FENCED.sub("", text), flags=re.DOTALL)


def typed(block: Block) -> list[str]:
    """The lines of a block that a user types: after `$ ` where there is such a line, else all."""
    text = block.text.replace("\\\n", " ")
    lines = text.splitlines()
    after_prompt = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return after_prompt if block.language == "console" else lines


def commands(text: str) -> list[str]:
    """Each of our commands in shell blocks and in backquotes, without remarks."""
    lines = [line for b in blocks(text) if b.language in SHELL for line in typed(b)]
    lines += [" ".join(match[1].split()) for match in INLINE.finditer(without_blocks(text))]
    parts = [part.strip() for line in lines for part in re.split(r"&&|\s\|\s|\s# ", line)]
    return list(dict.fromkeys(part for part in parts if COMMAND.match(part)))
