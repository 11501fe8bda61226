"""report: one page with what every model and rung scores."""

from pathlib import Path

from finetune.files import write_text
from finetune.params import Declared
from finetune.reporting import page
from finetune.stages import entry


def run(params: Declared) -> None:
    """Write the page."""
    kinds = {name: task.kind for name, task in params.tasks.items()}
    write_text(Path("reports/report.md"), page.page(Path("metrics"), kinds))


if __name__ == "__main__":
    entry.main(run)
