"""Predictions of a model in this machine's memory."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.core.rows import TaskRow
from finetune.core.schema import Eval, Prompt, Run
from finetune.forgetting import likelihood, texts
from finetune.inference.engines.registry import Engine
from finetune.inference.predict import EvalSpec, Prediction, predict_draws
from finetune.inference.resuming import Resumed, resumed
from finetune.modeling import truncation
from finetune.modeling.base import Base
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry


@dataclass(frozen=True)
class Loaded:
    """A model, and the engine that computes its answers."""

    base: Base
    engine: Engine


@dataclass(frozen=True)
class TaskSpec:
    """What of a task its predictions depend on."""

    kind: str
    prompt: Prompt
    eval: Eval


@dataclass(frozen=True)
class Local:
    """The predictor of a loaded model."""

    loaded: Loaded
    resumed: Resumed

    def predict(
        self,
        task: TaskSpec,
        rows: Sequence[TaskRow],
        train: Sequence[TaskRow],
        what: str,
        shots: int = 0,
    ) -> Iterator[Prediction]:
        """See `registry.Predictor`."""
        base = self.loaded.base
        answers = registry.predict(task.kind).answers
        spec = EvalSpec(task.prompt, task.eval, answers, self.loaded.engine)
        return predict_draws(base, base.model, spec, rows, train, what, self.resumed.budgets, shots)

    def truncated(
        self, task: TaskSpec, rows: Sequence[TaskRow], name: str, split: str, most: float
    ) -> dict[str, int]:
        """See `registry.Predictor`; of many rows, of a sample."""
        base = self.loaded.base
        encoder = PromptEncoder(base.tokenizer, task.prompt, base.context)
        counts = truncation.truncated(rows, encoder)
        counts.check(name, split, encoder, most)
        return counts.metrics()

    def general_text(self, what: str) -> list[dict[str, Any]]:
        """See `registry.Predictor`."""
        base = self.loaded.base
        return likelihood.rows(
            base, base.model, texts.items(), self.resumed.budgets, what, self.loaded.engine
        )

    def metrics(self) -> dict[str, Any]:
        """See `registry.Predictor`."""
        return self.resumed.metrics()


@contextlib.contextmanager
def opened(run: Run, run_state: Path, load: Callable[[], Loaded]) -> Iterator[Local]:
    """The predictor of the model that `load` loads."""
    loaded = load()
    with resumed(run_state, run, loaded.base.model) as within:
        yield Local(loaded, within)
