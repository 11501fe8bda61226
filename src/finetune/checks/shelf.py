"""Whether results/README.md shows what is shelved, and the shelf holds nothing else."""

from pathlib import Path

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_text
from finetune.shelf import reading


def problems(root: Path) -> list[str]:
    """A line for each shelved run that is damaged, and one if the page is out of date."""
    folder = root / paths.shelf()
    if not folder.is_dir():
        return []
    lines = [line for name in reading.names(root) for line in _of_run(root / name, name)]
    if lines:
        return lines
    # Imported here: it takes seconds (SciPy, DVC).
    from finetune.shelf import page

    file = folder / reading.README
    try:
        current = page.page(root)
    except UserError as error:
        return [str(error)]
    if not file.is_file() or read_text(file) != current:
        shown = paths.shelf() / reading.README
        return [f"{shown}: differs from what is shelved; run `finetune shelf`"]
    return []


def _of_run(folder: Path, name: str) -> list[str]:
    try:
        reading.check(folder, name)
    except UserError as error:
        return [str(error)]
    return []
