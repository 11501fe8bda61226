"""The result of a check: passed, a warning, or a failure of the run to be expected."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of the output: its state, the observation and, unless ok, the remedy."""

    state: Literal["ok", "warning", "fail"]
    what: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.state:7} {self.what}" + (f": {self.todo}" if self.todo else "")


def ok(what: str) -> Finding:
    return Finding("ok", what)


def warning(what: str, todo: str) -> Finding:
    return Finding("warning", what, todo)


def fail(what: str, todo: str) -> Finding:
    return Finding("fail", what, todo)
