"""What a check of the doctor returns."""

from collections.abc import Callable
from dataclasses import dataclass

from finetune.core.errors import UserError


class NotFixed(UserError):
    """Why something could not be mended."""


@dataclass(frozen=True)
class Finding:
    """Something that was left behind.

    commands: what a person would type to mend it; fix: does the same, and returns a remark or "".
    It raises UserError or OSError where it cannot.
    """

    what: str
    commands: tuple[str, ...]
    fix: Callable[[], str]
