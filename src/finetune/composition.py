"""Compose `conf/` the way `dvc exp run` does: by DVC's own function, with the project's plugins."""

import json
import tempfile
from pathlib import Path

from finetune.errors import ParamsError
from finetune.params import read_yaml


def compose(root: Path, overrides: list[str]) -> str:
    """The text of params.yaml that `conf/` under `root` composes to.

    Raises:
        ParamsError: the config does not compose, or an override does not fit it.
    """
    from dvc.utils.hydra import compose_and_dump
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    conf = root.resolve() / "conf"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "params.yaml"
        try:
            compose_and_dump(output, str(conf), None, "config", str(root), overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise ParamsError(f"conf: {' '.join(str(error).split())}") from None
        return output.read_text(encoding="utf-8")


def flat(text: str, where: str = "params.yaml") -> dict[str, object]:
    """The values of a params.yaml by dotted key: `{"lora.r": 16, …}`; `where` names it in errors.

    Raises:
        ParamsError: it is no YAML.
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
