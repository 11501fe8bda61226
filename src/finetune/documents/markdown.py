"""Blocks of Markdown, by markdown-it-py: CommonMark with tables and definition lists."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from finetune.documents.blocks import Block, Parsed, definition, fenced, table


def read(path: Path) -> Parsed:
    """The blocks of a file.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return parse(path.read_bytes().decode("utf-8-sig"))


def parse(text: str) -> Parsed:
    """The blocks of a text; images and HTML are left out."""
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.use(deflist_plugin).use(front_matter_plugin)
    parsed = Parsed([])
    parsed.blocks.extend(_blocks(SyntaxTreeNode(markdown.parse(text)).children, parsed))
    return parsed


def _blocks(nodes: Sequence[SyntaxTreeNode], parsed: Parsed, indent: str = "") -> Iterator[Block]:
    for node in nodes:
        match node.type:
            case "heading":
                yield Block("heading", _inline(node, parsed), level=int(node.tag[1]))
            case "paragraph":
                yield from _paragraph(node, parsed)
            case "bullet_list" | "ordered_list":
                yield from _list(node, parsed, indent)
            case "dl":
                yield from _definitions(node, parsed)
            case "fence" | "code_block":
                yield Block("code", fenced(node.content))
            case "table":
                rows = [row for part in node.children for row in part.children]
                cells = [[_inline(cell, parsed) for cell in row.children] for row in rows]
                yield Block("table", table(cells))
            case "html_block":
                if not node.content.lstrip().startswith("<!--"):
                    parsed.left_out["images" if "<img" in node.content else "pieces of HTML"] += 1
            case "blockquote":
                yield from _blocks(node.children, parsed, indent)


def _paragraph(node: SyntaxTreeNode, parsed: Parsed) -> Iterator[Block]:
    text = _inline(node, parsed)
    if text:
        term, meaning = _defined(node)
        is_bold = _is_bold(node)
        yield Block("paragraph", text, is_bold=is_bold, term=term, meaning=meaning)


def _list(node: SyntaxTreeNode, parsed: Parsed, indent: str) -> Iterator[Block]:
    for number, item in enumerate(node.children, start=int(node.attrs.get("start", 1))):
        mark = f"{number}. " if node.type == "ordered_list" else "- "
        for place, child in enumerate(item.children):
            if child.type == "paragraph" and (text := _inline(child, parsed)):
                term, meaning = _defined(child)
                text = f"{indent}{mark if place == 0 else '  '}{text}"
                yield Block("item", text, term=term, meaning=meaning)
            else:
                yield from _blocks([child], parsed, f"{indent}  ")


def _definitions(node: SyntaxTreeNode, parsed: Parsed) -> Iterator[Block]:
    term = ""
    for child in node.children:
        if child.type == "dt":
            term = _inline(child, parsed)
            continue
        meaning = "\n".join(block.text for block in _blocks(child.children, parsed))
        yield Block("item", f"{term}: {meaning}", term=term, meaning=meaning)


def _inline(node: SyntaxTreeNode, parsed: Parsed | None = None) -> str:
    """The text of what stands in lines: code between backquotes, links as their text.

    Images are counted in `parsed`, if it is given.
    """
    return "".join(_spans(node, parsed)).strip()


def _spans(node: SyntaxTreeNode, parsed: Parsed | None) -> Iterator[str]:
    for child in node.children:
        match child.type:
            case "text":
                yield child.content
            case "code_inline":
                yield f"`{child.content}`"
            case "softbreak":
                yield " "
            case "hardbreak":
                yield "\n"
            case "image":
                if parsed is not None:
                    parsed.left_out["images"] += 1
            case _:
                yield from _spans(child, parsed)


def _line(node: SyntaxTreeNode) -> Sequence[SyntaxTreeNode]:
    """The spans of a paragraph, without those that are empty."""
    spans = [span for child in node.children for span in child.children]
    return [span for span in spans if span.type != "text" or span.content.strip()]


def _is_bold(node: SyntaxTreeNode) -> bool:
    spans = _line(node)
    return len(spans) == 1 and spans[0].type == "strong"


def _defined(node: SyntaxTreeNode) -> tuple[str, str]:
    spans = _line(node)
    if not spans or spans[0].type != "strong":
        return "", ""
    bold = _inline(spans[0])
    rest = _inline(node)[len(bold) :]
    return definition(bold, rest)
