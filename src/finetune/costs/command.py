"""`finetune costs`: prints what a tuned model costs beside hosted ones, and writes the page."""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from finetune.core.files import write_text
from finetune.costs import page, shown
from finetune.costs.assessment import Assessment, assess
from finetune.reporting.parts import Table

PAGE = Path("reports/costs.html")


def run(
    root: Path,
    overrides: Sequence[str],
    gpu: str | None,
    hosted: str | None,
    out: Path | None,
    style: str,
) -> int:
    """Print the tables, and write the page."""
    assessment = assess(root, overrides, gpu, hosted)
    file = out or root / PAGE
    write_text(file, page.html(assessment))
    print("\n\n".join(_texts(assessment, style)))
    print(f"\n{file}: the page")
    return 0


def _texts(of: Assessment, style: str) -> list[str]:
    texts = []
    for task in of.tasks:
        said = [*shown.sentences(task, of.settings.bootstrap.confidence), shown.requested(task)]
        texts += [task.task, " ".join(filter(None, said))]
        for table in (shown.answers(task), shown.break_even(task)):
            if table.rows and len(table.head) > 1:
                texts.append(_printed(table, style))
        texts += [f"not known: {remark}" for remark in task.remarks]
    return [text for text in [*texts, _printed(shown.assumptions(of), style), of.warning] if text]


def _printed(of: Table, style: str) -> str:
    return tabulate(of.rows, of.head, tablefmt=style, disable_numparse=True)
