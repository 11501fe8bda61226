"""The kinds of task: each is a folder of `finetune.tasks`, with one module a concern.

Found by their folders and imported by name, so that a kind is added without an edit elsewhere.
`finetune.tasks.registry` says what each concern offers.
"""

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from finetune.core.errors import ParamsError

PACKAGE = "finetune.tasks"
CONCERNS = ("options", "rows", "predict", "loss", "scores", "baselines", "report", "data_card")
OPTIONAL = ("init", "serve", "rate")


@cache
def folders() -> dict[str, Path]:
    """The folder of each kind by its name, in alphabetical order."""
    spec = importlib.util.find_spec(PACKAGE)
    roots = [Path(root) for root in (spec.submodule_search_locations if spec else None) or ()]
    files = [file for root in roots for file in root.glob("*/options.py")]
    by_name = {file.parent.name: file.parent for file in files}
    return dict(sorted(by_name.items()))


def having(concern: str) -> list[str]:
    """The kinds that have a module of this concern, in alphabetical order."""
    return [kind for kind, folder in folders().items() if (folder / f"{concern}.py").is_file()]


def load(kind: str, concern: str) -> ModuleType:
    """The module of one of a kind's `CONCERNS`, or of an `OPTIONAL` one.

    Raises:
        ParamsError: there is no such kind, or it lacks the module.
    """
    if kind not in folders():
        raise ParamsError(f"kind: is {kind!r}, must be one of {', '.join(folders())}")
    if kind not in having(concern):
        those = (
            f"those with one: {', '.join(having(concern)) or 'none'}"
            if concern in OPTIONAL
            else f"every kind has {', '.join(f'{name}.py' for name in CONCERNS)}"
        )
        raise ParamsError(f"kind: {kind} has no {concern}.py beside its options.py; {those}")
    return importlib.import_module(f"{PACKAGE}.{kind}.{concern}")
