"""Scores of validation rows, which `train.select_by: score` chooses the kept adapter by.

Imports inference and scoring. So that an edit there trains nothing again where adapters are chosen
by loss, this module is imported only where they are not, within a function; what it imports is
then covered by `train.selection.watch`: see `finetune.checks.stages`.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from finetune.core import killed, processes
from finetune.core.errors import SCORING, is_out_of_memory
from finetune.core.files import read_json, write_json
from finetune.core.rows import TaskRow
from finetune.core.schema import Eval, Prompt, Run, Score
from finetune.inference import budgets
from finetune.inference.budgets import Budgets
from finetune.inference.predict import EvalSpec, Prediction, predict
from finetune.inference.resuming import halved, requested
from finetune.modeling.base import Base
from finetune.scoring.metrics import Metric, answered
from finetune.scoring.summary import is_silent
from finetune.tasks import registry

log = logging.getLogger(__name__)

BUDGETS = "eval_budgets.json"  # in the run state


@dataclass(frozen=True)
class ScoredRows:
    """The rows of a task that a model is to answer, and how its answers are scored.

    Of `train` rows a kind may compute what stands in for a missing answer, such as their median.
    """

    kind: str
    primary: str | None
    prompt: Prompt
    eval: Eval
    score: Score
    rows: Sequence[TaskRow]
    train: Sequence[TaskRow]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The kind's metrics, the primary one first."""
        return registry.metrics(self.kind, self.primary, self.prompt)

    def predictions(
        self, base: Base, model: PreTrainedModel, limits: Budgets, what: str
    ) -> list[Prediction]:
        """A model's scored predictions, as the stages predict and evaluate make them.

        Of sampled answers it is the first draw.
        """
        spec = EvalSpec(self.prompt, self.eval, registry.predict(self.kind).answers)
        predictions = predict(base, model, spec, self.rows, self.train, what, limits)
        rows = [row.model_dump(mode="json") for row in self.rows]
        return registry.scores(self.kind).score(rows, predictions, self.score)

    def is_silent(self, predictions: Sequence[Prediction]) -> bool:
        """Whether too many rows have no answer for there to be scores."""
        flags = registry.scores(self.kind).FLAGS
        return is_silent(flags, predictions, self.score.max_no_answer)


@dataclass(frozen=True)
class ValidationScore:
    """The primary metric of a model in training on its task's validation rows."""

    base: Base
    scored: ScoredRows
    run: Run
    run_state: Path
    what: str

    @property
    def higher_is_better(self) -> bool:
        """Which way is good, as the metric declares."""
        return self.scored.metrics[0].higher_is_better is not False

    def __call__(self, model: PreTrainedModel, step: int) -> float | None:
        """The score after so many steps; None where too many rows have no answer.

        The model must be in evaluation mode. Random state is not changed.
        """
        fitting = budgets.resolve(self.run, model)
        limits = processes.from_main(lambda: self._budgets(fitting))
        with torch.random.fork_rng():
            killed.note(scoring=True)
            try:
                what = f"{self.what}, step {step}"
                predictions = self.scored.predictions(self.base, model, limits, what)
            except (RuntimeError, MemoryError) as error:
                error.add_note(SCORING)
                half = halved(limits, self.run)
                if is_out_of_memory(error) and half != limits:
                    _save(self.run_state, half)
                    log.warning("the same command resumes with half the batch to predict with")
                raise
            killed.note(scoring=False)
        metric = self.scored.metrics[0]
        if self.scored.is_silent(predictions):
            flags = registry.scores(self.scored.kind).FLAGS
            unanswered = sum(not answered(flags, row) for row in predictions)
            log.info(
                f"step {step}: no {metric.title}, as {unanswered} of {len(predictions)} "
                "validation rows have no answer (score.max_no_answer)"
            )
            return None
        return metric.score(predictions)

    def _budgets(self, limits: Budgets) -> Budgets:
        """The run's budgets; `auto` is at most what it began with: a resumed run rounds alike."""
        began = _load(self.run_state)
        if began:
            lower = Budgets(
                min(limits.prompt_tokens, began.prompt_tokens),
                min(limits.cache_bytes, began.cache_bytes),
            )
            limits = requested(self.run, limits, lower)
        _save(self.run_state, limits)
        return limits


def halve_saved(run_state: Path, run: Run) -> None:
    """Halve what a run that was killed while it scored rows began with."""
    if began := _load(run_state):
        _save(run_state, halved(began, run))


def _load(run_state: Path) -> Budgets | None:
    file = run_state / BUDGETS
    return Budgets(**read_json(file)) if file.is_file() else None


def _save(run_state: Path, limits: Budgets) -> None:
    write_json(run_state / BUDGETS, asdict(limits))
