"""The predictors, by where the model is: the stages `base` and `predict` ask nobody else."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from finetune.core import processes
from finetune.core.files import write_jsonl
from finetune.core.rows import TaskRow
from finetune.core.schema import Model, Run
from finetune.inference.predict import Prediction
from finetune.predictors import hosted, local
from finetune.predictors.local import Loaded, TaskSpec


class Predictor(Protocol):
    """What answers a task's rows."""

    def predict(
        self,
        task: TaskSpec,
        rows: Sequence[TaskRow],
        train: Sequence[TaskRow],
        what: str,
        shots: int = 0,
    ) -> Iterator[Prediction]:
        """Predictions of all draws for `rows`, not yet scored; see `inference.predict`.

        They are made as they are asked for: of several processes each has to ask for all.
        """

    def truncated(
        self, task: TaskSpec, rows: Sequence[TaskRow], name: str, split: str, most: float
    ) -> dict[str, int]:
        """How many prompts and answers of a split are truncated; nothing where that is not known.

        Raises:
            DataError: it is a larger fraction than `most`; the message names task and split.
        """

    def general_text(self, what: str) -> list[dict[str, Any]]:
        """The likelihood of general text, see `forgetting`; none where there are no likelihoods."""

    def metrics(self) -> dict[str, Any]:
        """What depends on machine or provider, as the metric files have it under `run`."""


def opened(
    model: Model, run: Run, run_state: Path, load: Callable[[], Loaded], tuned: Path | None = None
) -> AbstractContextManager[Predictor]:
    """The predictor of a base model, or of what was tuned into the folder `tuned`.

    `load` loads one that is here. Answers are kept in the run state, which is removed when the
    context ends without an error.
    """
    if model.is_hosted:
        return hosted.opened(model, run, run_state, tuned)
    return local.opened(run, run_state, load)


def write(file: Path, predictions: Iterable[Prediction]) -> None:
    """Write predictions as they are made; of several processes the main one writes."""
    if processes.is_main():
        write_jsonl(file, predictions)
    else:
        deque(predictions, maxlen=0)
