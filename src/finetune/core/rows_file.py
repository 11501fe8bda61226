"""The rows of a prepared split as its kind has them, each read when it is asked for."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from finetune.core import paths
from finetune.core.jsonl_file import JsonlFile
from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt

RowT = TypeVar("RowT", bound=TaskRow)
Value = TypeVar("Value")


class RowsFile(JsonlFile[RowT]):
    """The rows of a file in data/prepared; holds some bytes a row, never the rows."""

    def __init__(self, path: Path, row_type: type[RowT]) -> None:
        """A file of rows of one kind.

        Raises:
            OSError: it cannot be read.
        """
        super().__init__(path, lambda values: row_type(**values))
        self._of_prompt: dict[str, Self] = {}
        self._statistics: dict[Callable[..., Any], Any] = {}

    def for_prompt(self, prompt: Prompt) -> Self:
        """The rows as they are used under a prompt: see `TaskRow`. The same object each time."""
        key = prompt.model_dump_json()
        if key not in self._of_prompt:
            prompted, make = copy.copy(self), self._make
            prompted._make = lambda values: make(values).for_prompt(prompt)
            prompted._of_prompt, prompted._statistics = {}, {}
            self._of_prompt[key] = prompted
        return self._of_prompt[key]

    def statistic(self, of: Callable[[Sequence[RowT]], Value]) -> Value:
        """What a function gives of the rows; they are gone through once for each function."""
        if of not in self._statistics:
            self._statistics[of] = of(self)
        value: Value = self._statistics[of]
        return value


def prepared(task: str, split: str, row_type: type[RowT], root: Path = Path()) -> RowsFile[RowT]:
    """The rows of a task's split, as `prepare` wrote them.

    Raises:
        OSError: they are not there.
    """
    return RowsFile(root / paths.prepared(task) / f"{split}.jsonl", row_type)


def for_prompt(rows: Sequence[RowT], prompt: Prompt) -> Sequence[RowT]:
    """The rows as they are used under a prompt: see `TaskRow.for_prompt`."""
    if isinstance(rows, RowsFile):
        return rows.for_prompt(prompt)
    return [row.for_prompt(prompt) for row in rows]


def statistic(rows: Sequence[RowT], of: Callable[[Sequence[RowT]], Value]) -> Value:
    """What a function gives of all rows, such as their median; of a file's, computed once."""
    return rows.statistic(of) if isinstance(rows, RowsFile) else of(rows)
