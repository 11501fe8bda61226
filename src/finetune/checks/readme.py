"""Whether the README's short table of results shows the committed metrics."""

from pathlib import Path

from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.files import read_text
from finetune.reporting import tables
from finetune.tasks import registry

START, END = (
    "<!-- results: `finetune readme` writes this from metrics/ -->",
    "<!-- end of results -->",
)


def problems(root: Path) -> list[str]:
    """One line, if the README does not show the metrics of metrics/."""
    text = read_text(root / "README.md")
    try:
        current = with_results(text, root)
    except UserError as error:
        return [str(error)]
    if current != text:
        return ["README.md: its results differ from metrics/; run `finetune readme`"]
    return []


def with_results(text: str, root: Path) -> str:
    """The README's text with the current results between its two markers.

    Raises:
        UserError: a marker is missing, or the metrics of a task are.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise UserError(f"README.md: lacks {START!r} or {END!r}")
    parts = []
    for task, options in params.read(root / "params.yaml").tasks.items():
        metrics = tables.read_complete(root / "metrics", task)
        declared = registry.metrics(options.kind, options.primary, options.prompt)
        parts += [
            f"**{task}**",
            tables.short_results(metrics, declared),
            tables.gain_remark(metrics, declared),
        ]
    return f"{before}{START}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}"
