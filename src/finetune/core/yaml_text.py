"""YAML, read within bounds: whatever is wrong with a text is one line with its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from finetune.core.errors import FileError, squeezed
from finetune.core.files import read_text, refuse_conflict

# What constructors raise for a value that is not of its tag (`!!int abc`, `!!bool maybe`), for a
# number of more digits than Python reads, and for a date that is none.
CONSTRUCTION_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
# Far beyond any file of this project: twenty lines of aliases to aliases are a billion values.
MAX_REPEATED = 10_000
MAX_DEPTH = 100
# libyaml's parser, where it was built: the check of the bounds then takes a millisecond.
EVENTS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path) -> Any:
    """The value of a YAML file; None for an empty one. See `parse`."""
    return parse(read_text(path), str(path))


def parse(text: str, where: str, load: Callable[[str], Any] = yaml.safe_load) -> Any:
    """The value of a YAML text as `load` reads it; `where` names it in errors.

    Raises:
        FileError: it is not YAML, holds a merge conflict of Git or a value that is not of its type,
            or its aliases or its depth are beyond all bounds.
    """
    refuse_conflict(text, where)
    try:
        _check_bounds(text, where)
        return load(text)
    except yaml.MarkedYAMLError as error:
        raise FileError(f"{where}: cannot be read: {_place(error)}{_said(error)}") from None
    except yaml.YAMLError as error:
        raise FileError(f"{where}: cannot be read: {squeezed(error)}") from None
    except CONSTRUCTION_ERRORS as error:
        raise FileError(f"{where}: {_bad_value(text) or squeezed(error)}") from None


def _check_bounds(text: str, where: str) -> None:
    """Count what aliases repeat, and how deep the text is nested, before anything is built.

    Raises:
        FileError: one of the two is beyond its bound, or an alias is of what it stands in.
    """
    sizes: dict[str, int] = {}
    stack: list[tuple[str | None, int]] = [(None, 0)]
    repeated = 0
    for event in yaml.parse(text, Loader=EVENTS):
        size = 0
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, 0))
            if len(stack) > MAX_DEPTH:
                raise FileError(
                    f"{where}: line {_line(event)}: nested deeper than {MAX_DEPTH}; is a bracket "
                    "open?"
                )
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = stack.pop()
            size += 1
            sizes |= {anchor: size} if anchor else {}
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
            sizes |= {event.anchor: size} if event.anchor else {}
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise FileError(
                    f"{where}: line {_line(event)}: *{event.anchor:.40} is an alias of nothing "
                    "that stands before it; write the value itself"
                )
            size = sizes[event.anchor]
            repeated += size
            if repeated > MAX_REPEATED:
                raise FileError(
                    f"{where}: line {_line(event)}: its aliases repeat more than {MAX_REPEATED:,} "
                    "values; write the values themselves"
                )
        outer, total = stack[-1]
        stack[-1] = (outer, total + size)


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return 1 if mark is None else int(mark.line) + 1


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _said(error: yaml.MarkedYAMLError) -> str:
    """`while parsing a flow sequence that begins in line 3: expected ',' or ']', but got …`."""
    begins = f" that begins in line {error.context_mark.line + 1}" if error.context_mark else ""
    context = f"{error.context}{begins}: " if error.context else ""
    return squeezed(f"{context}{error.problem}")


def _bad_value(text: str) -> str | None:
    """The line and value of the first scalar that is not of its type; None where all are."""
    loader = yaml.SafeLoader(text)
    waiting = [loader.get_single_node()]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            waiting += reversed([each for pair in node.value for each in pair])
        elif node is not None:
            try:
                loader.construct_object(node)
            except (yaml.YAMLError, *CONSTRUCTION_ERRORS):
                tag = node.tag.rpartition(":")[2]
                return (
                    f"line {node.start_mark.line + 1}: {node.value!r:.60} cannot be read as {tag}"
                )
    return None
