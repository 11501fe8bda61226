"""Whether params.yaml is the composition of conf/, and every config file composes and validates."""

import itertools
import re
import shlex
from pathlib import Path

from finetune.composition import compose, damaged_files, flat, shown
from finetune.core import params
from finetune.core.errors import ParamsError
from finetune.core.files import read_text

# A command in a config file's header, up to two blanks, a remark in parentheses or the line's end.
COMMAND = re.compile(
    r"(?P<make>\bmake [\w-]+ && )?\b(?:dvc exp run|finetune costs)"
    r"(?P<options>(?: \S+)+?)(?=\s{2,}|\s+\(|\s*$)",
    re.MULTILINE,
)
MODEL = "models/embedded"  # a model folder that always exists


def problems(root: Path) -> list[str]:
    """Each key in which params.yaml and conf/ differ, and each config file that fails.

    Where nothing composes, only why: every config file would fail for the same reason.
    """
    if damaged := damaged_files(root):
        return damaged
    try:
        compose(root, [])
    except ParamsError as error:
        return [str(error)]
    return differences(root) + broken_files(root)


def differences(root: Path) -> list[str]:
    """`lora.r: conf=16 params.yaml=99`, one line a key."""
    try:
        composed = flat(compose(root, []), "conf")
        file = root / "params.yaml"
        written = flat(read_text(file), "params.yaml") if file.is_file() else {}
    except ParamsError as error:
        return [str(error)]
    nothing = "(nothing)"
    return [
        f"{key}: conf={shown(composed.get(key, nothing))} "
        f"params.yaml={shown(written.get(key, nothing))}"
        for key in dict.fromkeys([*composed, *written])
        # By their text: 1, 1.0 and true are equal in Python, but different in YAML.
        if repr(composed.get(key, nothing)) != repr(written.get(key, nothing))
    ]


def broken_files(root: Path) -> list[str]:
    """Config files whose header names no command, or one that does not compose or validate."""
    files = sorted((root / "conf").rglob("*.yaml"))
    return [message for file in files for message in problems_of(root, file)]


def problems_of(root: Path, file: Path) -> list[str]:
    """The same of one config file."""
    where = str(file.relative_to(root))
    commands = header_commands(read_text(file))
    messages = [] if commands else [f"{where}: its header names no command that uses it"]
    for overrides in commands:
        try:
            params.validate_text(compose(root, overrides), where)
        except ParamsError as error:
            messages.append(f"{where}: `{' '.join(overrides)}`: {error}")
    return messages


def header_commands(text: str) -> list[list[str]]:
    """The overrides of each command in a config file's header; one list per value of a sweep.

    The placeholder `DIR` is replaced by an existing folder, and so is a model that a preceding
    `make` would create.
    """
    from dvc.utils.hydra import get_hydra_sweeps

    header = "\n".join(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines()))
    commands = []
    for match in COMMAND.finditer(header):
        words = shlex.split(match["options"].replace("DIR", MODEL))
        # Not the stages that a command may name, nor its other options.
        overrides = [word for flag, word in itertools.pairwise(words) if flag == "-S"]
        if match["make"]:
            overrides.append(f"model.name={MODEL}")
        commands += get_hydra_sweeps({"params.yaml": overrides})
    return [command["params.yaml"] for command in commands]
