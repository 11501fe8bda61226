"""What of parameters and metrics may be published: no folders of a machine, no text of the data."""

import math
import re
from typing import Any

from finetune.core.errors import UserError
from finetune.core.paths import without_folders

DATA_ROOT = "data.root"
# Names of metrics and options. A label or a category that holds blanks is none.
_KEY = re.compile(r"[\w.@+-]{1,64}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{8,64}")
# Texts that stand in metric files and come from parameters and code, never from rows.
_SECTIONS = ("protocol",)
_TEXTS = ("device", "of")
_MAX_CHARACTERS = 200


def params(node: Any, path: str = "") -> Any:
    """Nested parameters with the last folder alone of paths outside the repository.

    The folder of the data is reduced wherever it is. Revisions are compared with shelved runs by
    these: where a folder lies is no difference between runs.
    """
    if isinstance(node, dict):
        return {key: params(value, f"{path}.{key}".lstrip(".")) for key, value in node.items()}
    if isinstance(node, list):
        return [params(value, path) for value in node]
    if not isinstance(node, str) or "\n" in node:
        return node
    if path == DATA_ROOT and "/" in node.rstrip("/"):
        return without_folders(f"/{node}")
    return without_folders(node)


def by_key(flat: dict[str, object]) -> dict[str, object]:
    """The same of parameters by dotted key."""
    return {key: params(value, key) for key, value in flat.items()}


def metrics(node: Any, path: str = "") -> tuple[Any, list[str]]:
    """The numbers of a metric file with the few texts that describe a protocol or a device.

    Returns:
        The same nesting, and the paths of what was left out of it: other texts, lists that hold
        one, and what stands under a key that is no name.
    """
    if isinstance(node, dict):
        kept: dict[str, Any] = {}
        left_out: list[str] = []
        for key, value in node.items():
            if not _KEY.fullmatch(key):
                # Without the key itself, which may be a text of the data.
                left_out.append(f"{path}.*".lstrip("."))
                continue
            below, gone = metrics(value, f"{path}.{key}".lstrip("."))
            left_out += gone
            if below is not _GONE:
                kept[key] = below
        return kept, left_out
    if isinstance(node, list):
        parts = [metrics(value, path) for value in node]
        if any(gone for _, gone in parts):
            return _GONE, [path]
        return [value for value, _ in parts], []
    if isinstance(node, str) and not _is_describing(node, path.split(".")):
        return _GONE, [path]
    if isinstance(node, float) and not math.isfinite(node):
        return _GONE, [path]
    return (without_folders(node) if isinstance(node, str) else node), []


_GONE: Any = object()


def _is_describing(text: str, keys: list[str]) -> bool:
    """Whether a text is a hash, or stands where code and parameters write and rows do not."""
    if keys[-1].endswith("_hash"):
        return bool(_HEX.fullmatch(text))
    named = keys[-1] in _TEXTS or any(section in keys[:-1] for section in _SECTIONS)
    return named and text.isprintable() and len(text) <= _MAX_CHARACTERS


def check_curve(text: str, where: str) -> None:
    """Check that a table holds names of columns, and below them numbers alone.

    Raises:
        UserError: it holds something else.
    """
    head, *lines = text.splitlines()
    cells = [cell for row in lines for cell in row.split("\t") if cell]
    if not all(map(_KEY.fullmatch, head.split("\t"))) or not all(map(_is_number, cells)):
        raise UserError(f"{where}: holds something that is no number")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
