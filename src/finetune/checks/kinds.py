"""Kinds of task are known to their own folders alone: nothing else may ask for a kind's name.

Such a question is what makes a new kind cost edits all over the code: it belongs to the kind.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TASKS = Path("src/finetune/tasks")
# What holds a kind's name in the code.
NAMES = ("kind", "kind_name", "kind_of")


def problems(root: Path) -> list[str]:
    """Each place outside the kinds' folders that compares a kind, or lists or imports kinds."""
    folders = sorted(file.parent for file in (root / TASKS).glob("*/options.py"))
    kinds = {folder.name for folder in folders}
    lines: list[str] = []
    for file in sorted((root / "src/finetune").rglob("*")):
        own = next((folder for folder in folders if file.is_relative_to(folder)), None)
        if file.suffix not in {".py", ".j2"}:
            continue
        where = file.relative_to(root)
        text = file.read_text(encoding="utf-8")
        if own is not None:  # a kind may not lean on another one, either
            questions = _imports(text if file.suffix == ".py" else "", kinds - {own.name})
        else:
            questions = _in_template(text) if file.suffix == ".j2" else _in_code(text, kinds)
        lines += [
            f"{where}:{line}: {what}; let the kind say it, in a module of {TASKS}/KIND"
            for line, what in questions
        ]
    return lines


def _in_template(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(r"\bkind\s*([!=]=|(not )?in\b)", line):
            yield number, "asks which kind a task is of"


def _in_code(text: str, kinds: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Compare() if _asks(node, kinds):
                yield node.lineno, "asks which kind a task is of"
            case ast.Dict() if len([key for key in node.keys if _is_kind(key, kinds)]) > 1:
                yield node.lineno, "is a dictionary by kind"
            case ast.MatchValue() if _is_kind(node.value, kinds):
                yield node.value.lineno, "asks which kind a task is of"

    yield from _imports(text, kinds)


def _imports(text: str, kinds: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ImportFrom() if _imports_kind(node, kinds):
                yield node.lineno, "imports a kind"
            case ast.Import() if any(_is_of_kind(alias.name, kinds) for alias in node.names):
                yield node.lineno, "imports a kind"


def _asks(node: ast.Compare, kinds: set[str]) -> bool:
    """`task.kind == "…"`, `kind in ("…",)`, `row["kind"] != …`."""
    sides = [node.left, *node.comparators]
    names = any(
        (isinstance(side, ast.Name) and side.id in NAMES)
        or (isinstance(side, ast.Attribute) and side.attr in NAMES)
        or (isinstance(side, ast.Subscript) and _text(side.slice) in NAMES)
        for side in sides
    )
    constants = [
        value
        for side in sides
        for value in (side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side])
    ]
    return names and any(_is_kind(value, kinds) for value in constants)


def _is_kind(node: ast.expr | None, kinds: set[str]) -> bool:
    return _text(node) in kinds


def _text(node: ast.expr | None) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def _imports_kind(node: ast.ImportFrom, kinds: set[str]) -> bool:
    module = node.module or ""
    return _is_of_kind(module, kinds) or any(
        _is_of_kind(f"{module}.{alias.name}", kinds) for alias in node.names
    )


def _is_of_kind(module: str, kinds: set[str]) -> bool:
    return any(f"{module}.".startswith(f"finetune.tasks.{kind}.") for kind in kinds)
