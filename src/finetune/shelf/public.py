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
# Values of a protocol: options, names with a version, and how many rows a baseline covers. Longer
# texts, such as where somebody's own answers come from, are left out.
_OPTION = re.compile(r"[\w.+-]{1,32}(?: [\w.+-]{1,32}){0,2}|\d+ of \d+ rows", re.ASCII)
# What `scoring.draws` draws anew.
_DRAWN = ("examples", "samples", "examples and samples")
_MAX_DEVICE = 100


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


def is_device(text: object) -> bool:
    """Whether this may be the name of a GPU or CPU: short, and in one line."""
    return isinstance(text, str) and text.isprintable() and len(text) <= _MAX_DEVICE


def _is_describing(text: str, keys: list[str]) -> bool:
    """Whether a text has the form of what the pipeline writes under such keys."""
    if keys[-1].endswith("_hash"):
        return bool(_HEX.fullmatch(text))
    if keys[-2:] == ["run", "device"]:
        return is_device(text)
    if keys[-2:] == ["run", "engine"]:
        return bool(_OPTION.fullmatch(text))
    if keys[-2:] == ["draws", "of"]:
        return text in _DRAWN
    return "protocol" in keys[:-1] and bool(_OPTION.fullmatch(text))


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
