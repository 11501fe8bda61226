"""Each format's blocks: headings, text, lists, code, tables, definitions."""

import pytest
from docx import Document
from tiny_documents import pdf, text_page, word

from finetune.documents import html, markdown, plain
from finetune.documents import pdf as pdfs
from finetune.documents import word as words
from finetune.documents.blocks import Parsed, definition

MARKDOWN = """\
---
title: hidden
---
# The manual

A *run* of `lora.r`
resumes. ![a figure](x.png)

## Interrupted runs

- **Checkpoint**: what a run continues from
- first `data`,
  then train
  1. inner

```console
$ dvc repro    # again
```

| rank | value |
|---|---|
| r | 16 |

**Who may use it?**

Term
: Its meaning.

<!-- a remark -->
<div>raw</div>
"""
HTML = """\
<html><head><title>x</title><style>p {}</style></head><body><nav>menu</nav>
<h1>The <em>manual</em></h1>loose text <b>here</b><p>A run of <code>lora.r</code> resumes.</p>
<div><h2>Interrupted runs</h2><ul><li>first data</li><li><p>then train</p></li></ul>
<pre>$ dvc repro
$ again</pre><table><tr><th>rank</th><td>16</td></tr></table>
<dl><dt>Term</dt><dd>Its meaning.</dd></dl>
<details><summary>Who may use it?</summary>Everybody.</details>
<p><strong>Adapter:</strong> a few weights</p><img src="x.png"></div>
<script>alert(1)</script></body></html>
"""
PLAIN = """\
The manual
==========

A run that was killed
resumes.

2.1 Interrupted runs

- first data
- then train

LIMITS

    $ dvc repro

Q: Who may use it?
A: Everybody may.

Adapter: a few weights
Base: the model itself
"""


def outline(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parsed.blocks]


def terms(parsed: Parsed) -> dict[str, str]:
    return {block.term: block.meaning for block in parsed.blocks if block.term}


def bold(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks if block.is_bold]


def levels(parsed: Parsed) -> dict[str, int]:
    return {block.text: block.level for block in parsed.blocks if block.kind == "heading"}


def test_markdown():
    parsed = markdown.parse(MARKDOWN)
    assert outline(parsed) == [
        ("heading", "The manual"),
        ("paragraph", "A run of `lora.r` resumes."),
        ("heading", "Interrupted runs"),
        ("item", "- Checkpoint: what a run continues from"),
        ("item", "- first `data`, then train"),
        ("item", "  1. inner"),
        ("code", "```\n$ dvc repro    # again\n```"),
        ("table", "rank | value\nr | 16"),
        ("paragraph", "Who may use it?"),
        ("item", "Term: Its meaning."),
    ]
    assert levels(parsed) == {"The manual": 1, "Interrupted runs": 2}
    assert terms(parsed) == {"Checkpoint": "what a run continues from", "Term": "Its meaning."}
    assert bold(parsed) == ["Who may use it?"]
    assert parsed.left_out == {"images": 1, "pieces of HTML": 1}


def test_html():
    parsed = html.parse(HTML.encode())
    assert outline(parsed) == [
        ("heading", "The manual"),
        ("paragraph", "loose text here"),
        ("paragraph", "A run of `lora.r` resumes."),
        ("heading", "Interrupted runs"),
        ("item", "- first data"),
        ("item", "- then train"),
        ("code", "```\n$ dvc repro\n$ again\n```"),
        ("table", "rank | 16"),
        ("item", "Term: Its meaning."),
        ("paragraph", "Who may use it?"),
        ("paragraph", "Everybody."),
        ("paragraph", "Adapter: a few weights"),
    ]
    assert levels(parsed) == {"The manual": 1, "Interrupted runs": 2}
    assert terms(parsed) == {"Term": "Its meaning.", "Adapter": "a few weights"}
    assert bold(parsed) == ["Who may use it?"]
    assert parsed.left_out == {"images": 1, "navigation, footers and asides": 1}


def test_html_of_another_encoding_says_so_itself():
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Größe</p></body></html>'
    assert outline(html.parse(page.encode("iso-8859-1"))) == [("paragraph", "Größe")]
    assert outline(html.parse("<p>Größe 日本</p>".encode())) == [("paragraph", "Größe 日本")]


def test_plain_text():
    parsed = plain.parse(PLAIN)
    assert outline(parsed) == [
        ("heading", "The manual"),
        ("paragraph", "A run that was killed resumes."),
        ("heading", "Interrupted runs"),
        ("item", "- first data"),
        ("item", "- then train"),
        ("heading", "LIMITS"),
        ("code", "```\n$ dvc repro\n```"),
        ("paragraph", "Who may use it?"),
        ("paragraph", "Everybody may."),
        ("paragraph", "Adapter: a few weights"),
        ("paragraph", "Base: the model itself"),
    ]
    assert levels(parsed) == {"The manual": 1, "Interrupted runs": 2, "LIMITS": 1}
    assert terms(parsed) == {"Adapter": "a few weights", "Base": "the model itself"}
    assert bold(parsed) == ["Who may use it?"]


@pytest.mark.parametrize(
    "line", ["a small letter begins it", "It ends here.", " Indented", "- An item", "Note: this"]
)
def test_a_line_that_stands_alone_is_no_heading(line):
    assert levels(plain.parse(f"Title\n=====\n\n{line}\n\nText.")) == {"Title": 1}


def test_pdf(tmp_path):
    file = tmp_path / "manual.pdf"
    further = [[(f"It goes on, on page {n}.", 10, False)] for n in (2, 3)]
    footers = [("", 0, False), ("Page 7 of 9", 8, False)]
    pages = [text_page("Page 1 of 9"), *([*lines, *footers] for lines in further)]
    file.write_bytes(pdf(pages))
    parsed = pdfs.read(file)
    first = [block for block in parsed.blocks if block.page == 1]
    assert [(block.kind, block.text) for block in first] == [
        ("heading", "The manual"),
        ("heading", "Interrupted runs"),
        (
            "paragraph",
            "A run that was killed resumes at the last checkpoint when the same command is given "
            "again.",
        ),
        ("heading", "Limits"),
        ("paragraph", "It takes 16 GB of memory, and more for longer rows."),
    ]
    assert levels(parsed) == {"The manual": 1, "Interrupted runs": 2, "Limits": 3}
    assert [block.text for block in parsed.blocks[5:]] == [
        "It goes on, on page 2.",
        "It goes on, on page 3.",
    ]
    assert parsed.left_out == {"page headers and footers": 3}


def test_a_table_of_contents_is_left_out(tmp_path):
    file = tmp_path / "manual.pdf"
    contents = [
        ("Interrupted runs . . . . . . . . . 12", 10, False),
        ("It takes 1.5 GB.", 10, False),
    ]
    file.write_bytes(pdf([contents]))
    parsed = pdfs.read(file)
    assert outline(parsed) == [("paragraph", "It takes 1.5 GB.")]
    assert parsed.left_out == {"lines of contents and indices": 1}


def test_a_pdf_of_pictures_is_named(tmp_path):
    file = tmp_path / "scan.pdf"
    file.write_bytes(pdf([[]]))
    with pytest.raises(ValueError, match="no text in it; scanned pages need text recognition"):
        pdfs.read(file)


def test_word(tmp_path):
    word(tmp_path / "manual.docx")
    parsed = words.read(tmp_path / "manual.docx")
    assert outline(parsed) == [
        ("heading", "The manual"),
        ("heading", "Interrupted runs"),
        ("paragraph", "A run that was killed resumes when the command is given again."),
        ("item", "- first the data"),
        ("table", "rank | 16"),
        ("paragraph", "Who may use it?"),
        ("paragraph", "Everybody may, under the licence of the project."),
        ("paragraph", "Adapter: a few weights beside those of the model"),
    ]
    assert levels(parsed) == {"The manual": 1, "Interrupted runs": 2}
    assert terms(parsed) == {"Adapter": "a few weights beside those of the model"}
    assert bold(parsed) == ["Who may use it?"]


@pytest.mark.parametrize(
    ("bold_text", "rest", "expected"),
    [
        ("Term", ": its meaning", ("Term", "its meaning")),
        ("Term:", " its meaning", ("Term", "its meaning")),
        ("Term", " – its meaning", ("Term", "its meaning")),
        ("Term", " is what it is", ("", "")),
        ("Term", "", ("", "")),
        ("A term of far too many words here", ": meaning", ("", "")),
    ],
)
def test_a_bold_beginning_defines_what_stands_behind_it(bold_text, rest, expected):
    assert definition(bold_text, rest) == expected


def test_html_in_a_form_or_an_unknown_element_has_its_headings():
    for tag in ("form", "my-article", "a"):
        parsed = html.parse(f"<{tag}><h1>Care</h1><p>Wash it.</p></{tag}>".encode())
        assert outline(parsed) == [("heading", "Care"), ("paragraph", "Wash it.")]


def test_html_tables_within_tables_stand_once_and_lists_begin_where_they_say():
    parsed = html.parse(
        b"<table><tr><td>a<table><tr><td>in</td></tr></table></td><td>b</td></tr></table>"
    )
    assert "".join(block.text for block in parsed.blocks).count("in") == 1
    parsed = html.parse(b"<ol start=3><li>Oil it.</li><li>Wait.</li></ol>")
    assert [block.text for block in parsed.blocks] == ["3. Oil it.", "4. Wait."]


def test_merged_cells_of_word_stand_once(tmp_path):
    document = Document()
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Prices of all goods"
    table.cell(1, 0).text, table.cell(1, 1).text = "Bolt", "2 USD"
    document.save(str(tmp_path / "merged.docx"))
    (block,) = words.read(tmp_path / "merged.docx").blocks
    assert block.text.count("Prices of all goods") == 1
    assert "Bolt" in block.text
