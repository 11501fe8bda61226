"""report: one page with what every model and rung scores, and the tables that `dvc plots` draws."""

from pathlib import Path

from finetune.core import entry
from finetune.core.files import replaced_folder, write_text
from finetune.core.params import Declared
from finetune.reporting import material, page, plots


def run(params: Declared) -> None:
    """Write the page and the tables."""
    tasks = params.tasks
    materials = [material.read(task, options.kind) for task, options in tasks.items()]
    sections = {
        "model": params.model,
        "method": params.method,
        "lora": params.lora,
        "train": params.train,
        "data": params.data,
        "bootstrap": params.bootstrap,
    }
    made = page.page(
        materials, tasks, sections, params.bootstrap, params.model, params.run.usd_per_hour
    )
    with replaced_folder(Path("reports/plots")) as folder:
        for found in materials:
            plots.write(found, folder / found.task)
    write_text(Path("reports/index.html"), made)


if __name__ == "__main__":
    entry.main(run)
