"""Values in Hydra's grammar of overrides, as `dvc exp run -S KEY=VALUE` reads them."""

import re
from pathlib import Path


def quoted(value: str | Path) -> str:
    """A text or path as a value, quoted where it has blanks, commas and the like."""
    text = value.as_posix() if isinstance(value, Path) else value
    if re.fullmatch(r"[\w./-]+", text, re.ASCII):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
