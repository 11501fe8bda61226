"""dvc.yaml against the code: does a stage declare every module it imports, every section it reads?

A stage that does not would be "up to date" after an edit that changes what it computes.
"""

import ast
from pathlib import Path
from typing import Any

import yaml

from finetune.core.params import UNDECLARED

PACKAGE = "finetune"
COMMAND = "python -m "


def problems(root: Path) -> list[str]:
    """What dvc.yaml under `root` misses, one line each."""
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    found = []
    for name, entry in stages.items():
        stage = entry.get("do", entry)
        command = stage["cmd"]
        if not command.startswith(COMMAND):
            found.append(f"dvc.yaml: stage {name}: cmd is {command!r}, must be {COMMAND}MODULE …")
            continue
        if "${" in command:
            found.append(
                f"dvc.yaml: stage {name}: cmd is {command!r}, must hold no ${{…}}: the shell would "
                "run what a task's name in params.yaml says; a stage knows its task by DVC_STAGE"
            )
        module = command.removeprefix(COMMAND).split()[0]
        found += _deps(root, name, stage, module)
        found += _params(root, name, stage, module)
    return found


def _deps(root: Path, name: str, stage: dict[str, Any], module: str) -> list[str]:
    declared = [Path(dep) for dep in stage.get("deps", []) if not dep.startswith("${")]
    imported = {file.relative_to(root) for file in imports(root / "src", module)}
    missing = [
        f"dvc.yaml: stage {name}: deps miss {file}, which its code imports"
        for file in sorted(imported)
        if not any(file.is_relative_to(dep) for dep in declared)
    ]
    needless = [
        f"dvc.yaml: stage {name}: deps list {dep}, which its code does not import"
        for dep in declared
        if dep.parts[:1] == ("src",) and not any(file.is_relative_to(dep) for file in imported)
    ]
    return missing + needless


def _params(root: Path, name: str, stage: dict[str, Any], module: str) -> list[str]:
    declared = stage.get("params", [])
    return [
        f"dvc.yaml: stage {name}: params miss {key}, which its code reads"
        for key in sorted(reads(_file(root / "src", module)))
        if not any(key == known or key.startswith(f"{known}.") for known in [*declared, UNDECLARED])
    ]


def imports(source: Path, module: str) -> set[Path]:
    """The files of all project modules that a module imports, itself included, following imports.

    Imports inside functions count as well. A package's `__init__.py` counts where it holds code.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        for package in _parents(name):
            file = source / Path(*package.split(".")) / "__init__.py"
            if file.is_file() and file not in found and _has_code(file):
                found.add(file)
                waiting += _imported_names(source, file)
        file = _file(source, name)
        if file not in found and file.name != "__init__.py":
            found.add(file)
            waiting += _imported_names(source, file)
    return found


def reads(file: Path) -> set[str]:
    """The parameters that a stage module reads: chains such as `params.train.seed` in its code.

    `params.task.…` stands for the task that the stage runs for, `tasks.${key}.…`. A chain ends
    where the value is used, so handing on `params.train` reads all of it. Handing on `params`
    itself reads everything, and is named `params`.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in inner:
            continue  # the longest chain holds it
        chain = _chain(node)
        if chain and chain[0] == "params":
            if id(node) in called:
                chain = chain[:-1]  # `params.tasks.items()` reads params.tasks
            keys = chain[1:] or ["params"]
            if keys[0] == "task":
                keys = ["tasks", "${key}", *keys[1:]]
            found.add(".".join(keys))
    return found


def _chain(node: ast.AST) -> list[str]:
    """`a.b.c` as its names; empty for anything that is no such chain."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        start = _chain(node.value)
        return [*start, node.attr] if start else []
    return []


def _imported_names(source: Path, file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            # `from package import module` imports the module, `from module import name` does not.
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [n for n in names if n.split(".")[0] == PACKAGE and _file(source, n).is_file()]


def _file(source: Path, module: str) -> Path:
    path = source / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _parents(module: str) -> list[str]:
    """A module's packages, and itself where it is one."""
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _has_code(file: Path) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)) for n in body)
