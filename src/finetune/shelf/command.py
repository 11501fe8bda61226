"""`finetune shelve` and `finetune shelf`."""

from pathlib import Path

from finetune.core import paths
from finetune.core.files import write_text
from finetune.shelf import page, reading, writing


def shelve(root: Path, name: str, revision: str, note: str | None, is_forced: bool) -> int:
    """Shelve a run, write the page anew, and say what was written."""
    folder = writing.shelve(root, name, revision, note, is_forced)
    write_page(root)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{paths.shelf() / name}: {size / 1e3:,.0f} kB; commit it with {paths.shelf()}/README.md")
    return 0


def write_page(root: Path) -> int:
    """Write results/README.md."""
    write_text(root / paths.shelf() / reading.README, page.page(root))
    return 0
