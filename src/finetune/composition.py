"""Composition of `conf/` as in `dvc exp run`: by DVC's own function, with the project's plugins."""

import contextlib
import io
import json
import re
import tempfile
from pathlib import Path

from finetune.core import yaml_text
from finetune.core.errors import FileError, ParamsError, explained, squeezed
from finetune.core.params import read_yaml


def compose(root: Path, overrides: list[str]) -> str:
    """The text of params.yaml that `conf/` under `root` composes to.

    Raises:
        ParamsError: the config does not compose, or an override does not fit it.
    """
    from dvc.utils.hydra import compose_and_dump
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    conf = root.resolve() / "conf"
    # The project's plugin prints a one-line message; Hydra and DVC wrap its exception.
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "params.yaml"
        try:
            with contextlib.redirect_stderr(printed):
                compose_and_dump(output, str(conf), None, "config", str(root), overrides)
        except Exception as error:  # of a damaged file the libraries raise whatever they stumble on
            message = re.search(r"^finetune: (.*)$", printed.getvalue(), re.MULTILINE)
            damaged = [] if message else damaged_files(root)
            said = message[1] if message else next(iter(damaged), None)
            if said is None and not isinstance(error, HydraException | OmegaConfBaseException):
                raise
            raise ParamsError(said or f"conf: {squeezed(error)}") from None
        return output.read_text(encoding="utf-8")


def damaged_files(root: Path) -> list[str]:
    """What is wrong with each config file that is no YAML, or cannot be read."""
    lines = []
    for file in sorted((root / "conf").rglob("*.yaml")):
        try:
            yaml_text.read(file)
        except (FileError, OSError) as error:
            lines.append(str(explained(error)))
    return lines


def flat(text: str, where: str = "params.yaml") -> dict[str, object]:
    """The values of a params.yaml by dotted key: `{"lora.r": 16, …}`; `where` names it in errors.

    Raises:
        ParamsError: it is not YAML.
    """
    return flatten(read_yaml(text, where))


def shown(value: object) -> str:
    """A value on one line, as params.yaml has it: `null`, not `None`."""
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def flatten(node: object, path: str = "") -> dict[str, object]:
    """The leaves of nested dictionaries by dotted key, below `path`."""
    if not (isinstance(node, dict) and node):
        return {path: node}
    values: dict[str, object] = {}
    for key, value in node.items():
        values |= flatten(value, f"{path}.{key}".lstrip("."))
    return values
