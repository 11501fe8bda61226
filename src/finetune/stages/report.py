"""report: one page with what every model and rung scores."""

from pathlib import Path

from finetune.files import write_text
from finetune.params import Declared
from finetune.reporting import page
from finetune.stages import entry


def run(params: Declared) -> None:
    """Write the page."""
    kinds = {name: task.kind for name, task in params.tasks.items()}
    made = page.page(Path("metrics"), kinds, params.bootstrap.confidence)
    write_text(Path("reports/report.md"), made)


if __name__ == "__main__":
    entry.main(run)
