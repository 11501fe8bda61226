"""Whether the forms on record are of the adapters that the metrics are of."""

from pathlib import Path

from finetune.core import params
from finetune.core.errors import UserError
from finetune.forms import records


def problems(root: Path) -> list[str]:
    """A line for each task whose forms are of another adapter, or whose file is damaged."""
    lines = []
    for task in params.read(root / "params.yaml").tasks:
        try:
            lines.append(records.stale(root, task))
        except UserError as error:
            lines.append(str(error))
    return [line for line in lines if line]
