"""The kinds of task, by the name that a task's config gives."""

from collections.abc import Iterable
from typing import Any, Protocol

from finetune.core.errors import ParamsError
from finetune.tasks import price, summarization

Row = dict[str, Any]


class Kind(Protocol):
    """What a kind's module offers; see `finetune.tasks`."""

    FIELDS: tuple[str, ...]
    OPTIONAL: frozenset[str]  # of these, what a row may lack

    def clean(self, row: Row) -> Row: ...
    def body(self, row: Row) -> str: ...
    def target(self, row: Row) -> str: ...
    def found(self, row: Row) -> Iterable[str]: ...


KINDS: dict[str, Kind] = {"summarization": summarization, "price": price}


def kind(name: str) -> Kind:
    """The kind's module.

    Raises:
        ParamsError: there is no such kind.
    """
    if name not in KINDS:
        raise ParamsError(f"kind: is {name!r}, must be one of {', '.join(KINDS)}")
    return KINDS[name]
