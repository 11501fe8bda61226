"""Blocks of HTML, by lxml; scripts, navigation, forms and the like are left out."""

from collections.abc import Iterator
from pathlib import Path

from lxml import html
from lxml.html import HtmlElement

from finetune.documents.blocks import Block, Kind, Parsed, definition, fenced, table

LEFT_OUT = ("script", "style", "noscript", "template", "nav", "footer", "aside", "head")
COUNTED = ("nav", "footer", "aside")
IMAGES = ("img", "svg", "picture", "video", "audio", "canvas", "object", "iframe")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LISTS = ("ul", "ol")
BOLD = ("b", "strong")
# What is no part of a line; all others are.
BLOCKS = (
    *HEADINGS, *LISTS, "p", "pre", "table", "dl", "li", "dt", "dd", "div", "section", "article",
    "main", "body", "header", "blockquote", "details", "summary", "figure", "figcaption", "hr",
    "address", "center", "fieldset", "form",
)  # fmt: skip


def read(path: Path) -> Parsed:
    """The blocks of a file: of UTF-8, or of the encoding that it names itself.

    Raises:
        lxml.etree.LxmlError: it holds no document.
    """
    return parse(path.read_bytes())


def parse(data: bytes) -> Parsed:
    """The blocks of a document; pictures and the like are left out and counted."""
    try:
        data.decode()
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = None
    document = html.document_fromstring(data, parser=html.HTMLParser(encoding=encoding))
    parsed = Parsed([])
    parsed.blocks.extend(_blocks(document, parsed))
    return parsed


def _blocks(element: HtmlElement, parsed: Parsed) -> Iterator[Block]:
    """The blocks in an element, and paragraphs of the text between them."""
    loose = [element.text or ""]
    for child in element:
        if not isinstance(child.tag, str) or child.tag in LEFT_OUT:  # a comment has no name
            if child.tag in COUNTED and child.text_content().strip():
                parsed.left_out["navigation, footers and asides"] += 1
            loose.append(child.tail or "")
            continue
        # An element that HTML does not know, or a link, may hold whole sections.
        if child.tag in BLOCKS or any(each.tag in BLOCKS for each in child.iterdescendants()):
            yield from _paragraph("".join(loose))
            yield from _block(child, parsed)
            loose = [child.tail or ""]
        else:
            loose += [_span(child, parsed), child.tail or ""]
    yield from _paragraph("".join(loose))


def _block(element: HtmlElement, parsed: Parsed) -> Iterator[Block]:
    match str(element.tag):
        case tag if tag in HEADINGS:
            if text := _text(element, parsed):
                yield Block("heading", text, level=int(tag[1]))
        case tag if tag in LISTS:
            yield from _list(element, parsed)
        case "pre":
            if code := element.text_content().strip("\n"):
                yield Block("code", fenced(code))
        case "table":
            own = [row for row in element.iter("tr") if next(row.iterancestors("table")) is element]
            rows = [[_text(cell, parsed) for cell in row] for row in own]
            if text := table(rows):
                yield Block("table", text)
        case "dl":
            yield from _definitions(element, parsed)
        case "summary":
            # The line that opens a block of details is what it is about, as a bold one is.
            yield Block("paragraph", _text(element, parsed), is_bold=True)
        case _ if any(each.tag in BLOCKS for each in element.iterdescendants()):
            yield from _blocks(element, parsed)
        case _:
            yield from _line("paragraph", element, parsed)


def _line(kind: Kind, element: HtmlElement, parsed: Parsed, mark: str = "") -> Iterator[Block]:
    if text := _text(element, parsed):
        first = next((child for child in element if isinstance(child.tag, str)), None)
        term = meaning = ""
        is_bold = False
        if first is not None and first.tag in BOLD and not (element.text or "").strip():
            bold = _text(first, Parsed([]))
            is_bold = bold == text
            term, meaning = definition(bold, text[len(bold) :])
        yield Block(kind, f"{mark}{text}", is_bold=is_bold, term=term, meaning=meaning)


def _list(element: HtmlElement, parsed: Parsed) -> Iterator[Block]:
    start = element.get("start", "1")
    first = int(start) if start.isdecimal() else 1
    for number, item in enumerate(element.iterchildren("li"), start=first):
        mark = f"{number}. " if element.tag == "ol" else "- "
        if any(child.tag in BLOCKS for child in item):
            for block in _blocks(item, parsed):
                is_line = block.kind == "paragraph"
                yield Block("item", f"{mark}{block.text}") if is_line else block
        else:
            yield from _line("item", item, parsed, mark)


def _definitions(element: HtmlElement, parsed: Parsed) -> Iterator[Block]:
    term = ""
    for child in element.iter("dt", "dd"):
        if child.tag == "dt":
            term = _text(child, parsed)
        elif meaning := _text(child, parsed):
            yield Block("item", f"{term}: {meaning}", term=term, meaning=meaning)


def _paragraph(text: str) -> Iterator[Block]:
    if squeezed := " ".join(text.split()):
        yield Block("paragraph", squeezed)


def _text(element: HtmlElement, parsed: Parsed) -> str:
    return " ".join(_inner(element, parsed).split())


def _inner(element: HtmlElement, parsed: Parsed) -> str:
    parts = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str) and child.tag not in LEFT_OUT:
            parts.append(_span(child, parsed))
        parts.append(child.tail or "")
    return "".join(parts)


def _span(element: HtmlElement, parsed: Parsed) -> str:
    if element.tag in IMAGES:
        parsed.left_out["images"] += 1
        return ""
    if element.tag == "br":
        return " "
    inner = _inner(element, parsed)
    if element.tag in ("code", "kbd", "tt", "samp") and inner.strip():
        return f"`{inner.strip()}`"
    return f" {inner} " if element.tag in BLOCKS else inner
