"""What a check found: that all is well, that something will fail, or that it may."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line: `state`, what is so, and for all but `ok` what to do."""

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
