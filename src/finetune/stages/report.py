"""report: one page with what every model and baseline scores, and where it is good and bad."""

from pathlib import Path

from finetune import ledger
from finetune.core import entry
from finetune.core.files import write_text
from finetune.core.params import StageParams
from finetune.core.schema import Prompt
from finetune.reporting import artifacts, page
from finetune.reporting.artifacts import Kind
from finetune.tasks import registry

PAGE = Path("reports/index.html")


def run(params: StageParams) -> None:
    """Write the page."""
    tasks = params.tasks
    sections = {
        "model": params.model,
        "method": params.method,
        "lora": params.lora,
        "data": params.data,
        "bootstrap": params.bootstrap,
    }
    html = page.page(
        [
            artifacts.read(task, kind(options.kind, options.primary, options.prompt))
            for task, options in tasks.items()
        ],
        tasks,
        sections,
        params.bootstrap,
        params.model,
        params.run.usd_per_hour,
        [look for look in ledger.read(Path()) if look.task in params.tasks],
    )
    write_text(PAGE, html)


def kind(name: str, primary: str | None = None, prompt: Prompt | None = None) -> Kind:
    """What the page is to know of a kind, as a task with this primary score and prompt has it."""
    scores = registry.scores(name, prompt)
    return Kind(
        metrics=registry.metrics(name, primary, prompt),
        flags=scores.FLAGS,
        groupings=scores.GROUPINGS,
        baselines=registry.baselines(name).BASELINES,
        report=registry.report(name, prompt).REPORT,
    )


if __name__ == "__main__":
    entry.main(run)
