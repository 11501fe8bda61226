"""Small documents, made on the spot: a PDF without a library that writes one, and a Word file."""

from collections.abc import Sequence
from pathlib import Path

import docx

# A line of a page: its text, its size, and whether it is bold.
Line = tuple[str, float, bool]


def pdf(pages: Sequence[Sequence[Line]]) -> bytes:
    """A PDF with these lines on its pages, from the top; a line of size 0 leaves a gap."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>"
        % (b" ".join(b"%d 0 R" % (5 + 2 * n) for n in range(len(pages))), len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>",
    ]
    for number, lines in enumerate(pages):
        content, height = b"BT\n", 780.0
        for text, size, is_bold in lines:
            height -= 1.3 * size if size else 30
            escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            content += b"/F%d %.1f Tf 1 0 0 1 72 %.1f Tm (%s) Tj\n" % (
                2 if is_bold else 1, size or 10, height, escaped.encode("latin-1"),
            )  # fmt: skip
        content += b"ET"
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (6 + 2 * number),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, start,
    )  # fmt: skip
    return data


def text_page(footer: str) -> list[Line]:
    """A page with headings of three levels, a paragraph over two lines, and a footer."""
    return [
        ("The manual", 20, False),
        ("", 0, False),
        ("Interrupted runs", 14, False),
        ("", 0, False),
        ("A run that was killed resumes at the last check-", 10, False),
        ("point when the same command is given again.", 10, False),
        ("", 0, False),
        ("Limits", 10, True),
        ("", 0, False),
        ("It takes 16 GB of memory, and more for longer rows.", 10, False),
        ("", 0, False),
        (footer, 8, False),
    ]


def word(path: Path) -> None:
    """Write a Word file with a title, headings, a list, a table, a question and a definition."""
    document = docx.Document()
    document.add_heading("The manual", 0)
    document.add_heading("Interrupted runs", 1)
    document.add_paragraph("A run that was killed resumes when the command is given again.")
    document.add_paragraph("first the data", style="List Bullet")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "rank", "16"
    document.add_paragraph().add_run("Who may use it?").bold = True
    document.add_paragraph("Everybody may, under the licence of the project.")
    defined = document.add_paragraph()
    defined.add_run("Adapter").bold = True
    defined.add_run(": a few weights beside those of the model")
    document.save(str(path))
