"""Adapters that tasks share: trained on rows of several, or taken from another task."""

import shutil
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from finetune.core import mixing, paths
from finetune.core.files import read_json, replaced_folder, write_json
from finetune.core.rows import TaskRow
from finetune.modeling.prompts import PromptEncoder
from finetune.training.examples import Examples, learnable, text_bound, text_encoding


class MixedRows(Sequence[tuple[int, TaskRow]]):
    """Some rows of several tasks, each with its task's number; those of the first come first."""

    def __init__(self, tasks: Sequence[Sequence[TaskRow]], places: NDArray[np.int64]) -> None:
        """`places` counts through the rows of all tasks, in ascending order."""
        self._tasks, self._places = tasks, places
        self._starts = np.cumsum([0, *map(len, tasks)])

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> tuple[int, TaskRow]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[int, TaskRow]]: ...
    def __getitem__(self, index: int | slice) -> tuple[int, TaskRow] | list[tuple[int, TaskRow]]:
        """A row with its task's number, or several of them, as a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = self._places[index]
        task = int(np.searchsorted(self._starts, place, side="right")) - 1
        return task, self._tasks[task][int(place - self._starts[task])]


def together(
    tasks: Sequence[Sequence[TaskRow]],
    encoders: Sequence[PromptEncoder],
    weights: Sequence[float],
    seed: int,
) -> Examples:
    """Examples of several tasks, so many of each as the weights say, each by its task's encoder.

    Raises:
        DataError: see `examples.encode`.
    """
    of = np.repeat(np.arange(len(tasks)), [len(rows) for rows in tasks])
    places = np.flatnonzero(mixing.drawn(of, dict(enumerate(weights)), seed))
    encodings = [text_encoding(encoder) for encoder in encoders]
    bound = max(text_bound(encoder) for encoder in encoders)
    return learnable(
        Examples(MixedRows(tasks, places), lambda placed: encodings[placed[0]](placed[1]), bound)
    )


def take(task: str, other: str) -> None:
    """Make another task's adapter, with its curves and its `train.json`, that of a task.

    But for `run`: time and memory were the other's.
    """
    for folder in (paths.adapter, paths.curves, paths.hardware_curves):
        with replaced_folder(folder(task)) as new:
            # Curves of the machine are not in Git, and may not have been pulled.
            if folder(other).is_dir():
                shutil.copytree(folder(other), new, dirs_exist_ok=True)
    metrics = read_json(paths.metrics(other, "train"))[other]["train"]
    taken = {"adapter_of": other, **metrics, "run": {}}
    write_json(paths.metrics(task, "train"), {task: {"train": taken}})
