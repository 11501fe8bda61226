"""The README's table of results: is it that of the committed metrics?"""

from pathlib import Path

from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.files import read_text
from finetune.reporting import tables

START, END = (
    "<!-- results: `finetune readme` writes this from metrics/ -->",
    "<!-- end of results -->",
)


def problems(root: Path) -> list[str]:
    """One line, if the README says something else than metrics/."""
    text = read_text(root / "README.md")
    try:
        current = with_results(text, root)
    except UserError as error:
        return [str(error)]
    if current != text:
        return ["README.md: its results are not those of metrics/; run `finetune readme`"]
    return []


def with_results(text: str, root: Path) -> str:
    """The README's text with the current results between its two markers.

    Raises:
        UserError: a marker is missing, or the metrics of a task are.
    """
    before, found, rest = text.partition(START)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise UserError(f"README.md: lacks {START!r} or {END!r}")
    parts = []
    for task, options in params.read(root / "params.yaml").tasks.items():
        metrics = tables.read_complete(root / "metrics", task)
        parts += [
            f"**{task}**",
            tables.results(metrics, options.kind),
            *tables.remarks(metrics, options.kind),
        ]
    return f"{before}{START}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}"
