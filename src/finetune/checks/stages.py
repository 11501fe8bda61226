"""dvc.yaml against the code: does a stage declare every module it imports, every section it reads?

A stage that does not would be "up to date" after an edit that changes what it computes. What is
asked of `tasks.registry` counts as an import of that file of every kind; a stage of one task
declares its own kind's, `src/finetune/tasks/${item.kind}/rows.py`.

A module of `CONDITIONAL` is imported only where a parameter says so, and DVC watches what it
imports through that parameter. That holds for imports within functions; at a module's top level it
is imported always, and what it imports must be declared like anything else.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core import pipeline_yaml
from finetune.core.params import UNDECLARED
from finetune.core.schema import WATCHED

PACKAGE = "finetune"
COMMAND = "python -m "
TASKS = Path("src/finetune/tasks")
# Not declared: it finds the files that are declared.
REGISTRY = TASKS / "registry.py"
# Needs no declaration: it says what parameters may be, and what they are stands under params.
OPTIONS = "options"
# Module → what a stage that imports it under a condition declares for what it imports in turn; with
# the condition that is the folder.
CONDITIONAL = {
    Path("src/finetune/training/selection.py"): (
        "${item.train.selection.watch}",
        Path(WATCHED["score"]),
    )
}


def problems(root: Path) -> list[str]:
    """What dvc.yaml under `root` misses, one line each."""
    lines: list[str] = []
    for name, entry in pipeline_yaml.stages(root / "dvc.yaml").items():
        stage = pipeline_yaml.body(entry)
        command = stage["cmd"]
        if not command.startswith(COMMAND):
            lines.append(f"dvc.yaml: stage {name}: cmd is {command!r}, must be {COMMAND}MODULE …")
            continue
        if "${" in command:
            lines.append(
                f"dvc.yaml: stage {name}: cmd is {command!r}, must hold no ${{…}}: the shell would "
                "run what a task's name in params.yaml says; a stage knows its task by DVC_STAGE"
            )
        module = command.removeprefix(COMMAND).split()[0]
        lines += _deps(root, name, stage, module, is_of_task="foreach" in entry)
        lines += _params(root, name, stage, module)
    return lines


def _deps(root: Path, name: str, stage: dict[str, Any], module: str, is_of_task: bool) -> list[str]:
    deps = stage.get("deps", [])
    declared = [Path(dep) for dep in deps if not dep.startswith("${")]
    watched = {
        root / file: folder
        for file, (parameter, folder) in CONDITIONAL.items()
        if parameter in deps
    }
    always = imports(root / "src", module, frozenset(watched))
    files = {file.relative_to(root) for file in always} - {REGISTRY}
    if is_of_task:
        files = {_of_own_kind(file) for file in files}
    needed = {file for file in files if not _is_of_kind(file) or file.stem != OPTIONS}
    missing = [
        f"dvc.yaml: stage {name}: deps miss {file}, which its code imports"
        for file in sorted(needed)
        if not any(file.is_relative_to(dep) for dep in declared)
    ]
    needless = [
        f"dvc.yaml: stage {name}: deps list {dep}, which its code does not import"
        for dep in declared
        if dep.parts[:1] == ("src",) and not any(file.is_relative_to(dep) for file in files)
    ]
    return missing + needless + _conditions(root, name, deps, watched, always)


def _conditions(
    root: Path, name: str, deps: Sequence[str], watched: Mapping[Path, Path], always: set[Path]
) -> list[str]:
    """What is amiss with the parameters that a stage declares for conditional imports."""
    lines = []
    for file, folder in watched.items():
        if file not in always:
            parameter = CONDITIONAL[file.relative_to(root)][0]
            lines.append(
                f"dvc.yaml: stage {name}: deps list {parameter}, whose module its code does not "
                "import"
            )
            continue
        lines += [
            f"dvc.yaml: stage {name}: {folder} does not cover {each.relative_to(root)}, which "
            f"{file.relative_to(root)} imports"
            for each in sorted(imports(root / "src", _module(root / "src", file)))
            if not each.is_relative_to(root / folder)
        ]
    return lines


def _module(source: Path, file: Path) -> str:
    return ".".join(file.relative_to(source).with_suffix("").parts)


def _is_of_kind(file: Path) -> bool:
    """Whether a file stands in a kind's folder."""
    return file.parent.parent == TASKS


def _of_own_kind(file: Path) -> Path:
    """A file of some kind as the stage of a task names it: that of its own kind."""
    return TASKS / "${item.kind}" / file.name if _is_of_kind(file) else file


def _params(root: Path, name: str, stage: dict[str, Any], module: str) -> list[str]:
    declared = stage.get("params", [])
    return [
        f"dvc.yaml: stage {name}: params miss {key}, which its code reads"
        for key in sorted(reads(_file(root / "src", module)))
        if not any(key == known or key.startswith(f"{known}.") for known in [*declared, UNDECLARED])
    ]


def imports(source: Path, module: str, conditional: frozenset[Path] = frozenset()) -> set[Path]:
    """The files of all project modules that a module imports, itself included, following imports.

    Imports inside functions count as well, those for type checkers alone do not; of a `conditional`
    module that only functions import, its own file does, and what it imports does not. A package's
    `__init__.py` counts where it holds code. `registry.rows(…)` counts as an import of `rows.py` of
    every kind, but for options.
    """
    files: set[Path] = set()
    unfollowed: set[Path] = set()
    waiting = [Import(module, in_function=False)]
    while waiting:
        each = waiting.pop()
        for package in _parents(each.name):
            file = source / Path(*package.split(".")) / "__init__.py"
            if file.is_file() and file not in files and _has_code(file):
                files.add(file)
                waiting += _imported_names(source, file)
        file = _file(source, each.name)
        if file.name == "__init__.py" or file in files - unfollowed:
            continue
        files.add(file)
        if file in conditional and each.in_function:
            unfollowed.add(file)
        else:
            unfollowed.discard(file)
            waiting += _imported_names(source, file)
    return files


def reads(file: Path) -> set[str]:
    """The parameters that a stage module reads: chains such as `params.train.seed` in its code.

    `params.task.…` stands for the task that the stage runs for, `tasks.${key}.…`. A chain ends
    where the value is used, so handing on `params.train` reads all of it. Handing on `params`
    itself reads everything, and is named `params`.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    keys_read: set[str] = set()
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
            keys_read.add(".".join(keys))
    return keys_read


def _chain(node: ast.AST) -> list[str]:
    """`a.b.c` as its names; empty for anything that is no such chain."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        start = _chain(node.value)
        return [*start, node.attr] if start else []
    return []


@dataclass(frozen=True)
class Import:
    """A module's import of another: its name, and whether it stands within a function."""

    name: str
    in_function: bool


def _imported_names(source: Path, file: Path) -> list[Import]:
    found: list[Import] = []
    for node, in_function in _run_time(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            # `from package import module` imports the module, `from module import name` does not.
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and len(chain := _chain(node.func)) == 2:
            names += _of_all_kinds(source, *chain)
        found += [Import(name, in_function) for name in names]
    return [i for i in found if i.name.split(".")[0] == PACKAGE and _file(source, i.name).is_file()]


def _run_time(tree: ast.AST, in_function: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes but those under `if TYPE_CHECKING`, and whether they stand within a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and _chain(node.test) == ["TYPE_CHECKING"]:
            continue
        yield node, in_function
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _run_time(node, in_function or is_function)


def _of_all_kinds(source: Path, name: str, concern: str) -> list[str]:
    """The modules that a call such as `registry.rows` may give."""
    if name != "registry" or concern == OPTIONS:
        return []
    folders = sorted(file.parent for file in (source.parent / TASKS).glob(f"*/{concern}.py"))
    return [f"{PACKAGE}.tasks.{folder.name}.{concern}" for folder in folders]


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
