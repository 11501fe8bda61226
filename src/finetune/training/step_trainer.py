"""A Trainer whose data items are optimizer steps: losses of micro-batches, and their logs."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from transformers import PreTrainedModel, TrainerCallback, TrainerControl

from finetune.core import processes
from finetune.core.errors import ModelError
from finetune.core.memory import trim_heap
from finetune.training import evaluations
from finetune.training.budget import Budget
from finetune.training.callbacks import RunningLoss
from finetune.training.checkpoints import ResumableTrainer
from finetune.training.dropout import DropoutKeys
from finetune.training.examples import Example, Step, lengths, num_target_tokens, num_targets
from finetune.training.losses import Loss
from finetune.training.meter import Meter
from finetune.training.micro_batches import MicroBatch, micro_batches, summed_loss

# A loss scaler starts too high and halves at every overflow: more in a row have another cause.
MAX_SKIPPED_STEPS = 32
# What the Trainer knows the best evaluation by: that of the larger one is better.
BEST_STEP = "eval_best_step"


class ScoreOf(Protocol):
    """What adapters are chosen by in place of the validation loss; see `training.selection`."""

    @property
    def higher_is_better(self) -> bool:
        """Which way is good."""

    def __call__(self, model: PreTrainedModel, step: int) -> float | None:
        """The score of a model after so many steps; None where it has none."""


@dataclass(frozen=True)
class Setup:
    """The model of a run, how it computes, how its steps are split, and what it is chosen by.

    dtype: the compute type; budget: of a micro-batch; dropout_keys: from `use_row_dropout`; score:
    of validation rows, where it chooses and not their loss; keep: is given the step of each
    evaluation, to keep the adapter of that moment.
    """

    model: PreTrainedModel
    pad_id: int
    dtype: torch.dtype
    loss: Loss
    budget: Budget
    dropout_keys: DropoutKeys
    score: ScoreOf | None = None
    keep: Callable[[int], None] | None = None

    @property
    def higher_is_better(self) -> bool:
        """Which way the score is better; of no meaning without one."""
        return self.score is None or self.score.higher_is_better


class StepTrainer(ResumableTrainer):
    """A Trainer whose data items are whole optimizer steps, which it splits into micro-batches."""

    control: TrainerControl

    def __init__(
        self,
        setup: Setup,
        train: Sequence[Example],
        validation: Sequence[Example],
        meter: Meter,
        callbacks: Sequence[TrainerCallback],
        **rest: Any,
    ) -> None:
        self.running_loss, self.meter = RunningLoss(), meter
        super().__init__(
            model=setup.model,
            data_collator=_single_item,
            callbacks=[self.running_loss, meter, *callbacks],
            **rest,
        )
        self.setup, self.examples, self.validation = setup, train, validation
        self.skipped = 0

    def training_step(
        self, model: nn.Module, inputs: dict[str, Step], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Backward passes over the micro-batches of a step; returns the step's mean loss, a scalar.

        The mean is over the target tokens of the whole step, whatever the micro-batches and the
        processes that share its rows.
        """
        model.train()
        step, dropout_keys = inputs["step"], self.setup.dropout_keys
        examples = [self.examples[row] for row in step.rows]
        targets = max(1, sum(map(num_target_tokens, examples)))
        total, paths = torch.zeros((), device=self.args.device), self.setup.loss.paths
        num_micro_batches = 0
        for indices, batch in self._micro_batches(examples):
            num_micro_batches += 1
            dropout_keys.by_row = [(self.args.seed, step.number, step.rows[i]) for i in indices]
            dropout_keys.lengths = [len(examples[i]["input_ids"]) + len(paths) for i in indices]
            chosen = [examples[i] for i in indices]
            loss = self._summed_loss(model, batch, chosen) / targets
            self.accelerator.backward(loss)
            total += loss.detach()
        if not num_micro_batches and self.accelerator.scaler is not None:
            self.accelerator.scaler.scale(total)  # made by the first backward pass, which none was
        processes.sum_gradients(list(model.parameters()), total)
        if not math.isfinite(total.item()):
            raise _not_finite("loss", step)
        self.running_loss.add(total.item())
        trim_heap()  # steps of many shapes would fragment the heap more than any one of them
        return total

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log values of this step; with the training loss, what the machine took for it."""
        if "loss" in logs:
            logs["loss"] = self.running_loss.take("log")
            logs |= self.meter.point(self.state.log_history)
        super().log(logs, start_time)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Log the validation loss, and the score where that chooses; say which is the best step."""
        step, setup = self.state.global_step, self.setup
        logged = {
            evaluations.LOSS: self.validation_loss(),
            evaluations.TRAIN_LOSS: self.running_loss.take("evaluation"),
        }
        score = setup.score(self.model, step) if setup.score else None
        score = processes.from_main(lambda: score)
        if score is not None:
            logged[evaluations.SCORE] = score
        if setup.keep and processes.is_main():
            setup.keep(step)
        self.log(logged)
        done = evaluations.of_history(self.state.log_history)
        metrics = {**logged, BEST_STEP: evaluations.best(done, setup.higher_is_better).step}
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    @torch.no_grad()
    def validation_loss(self) -> float:
        """The mean over all target tokens of validation, in nats; switches to evaluation mode.

        A mean of the batches' means would depend on the token budget.
        """
        self.model.eval()
        sums = [
            self._summed_loss(self.model, batch, [self.validation[i] for i in indices]).item()
            for indices, batch in self._micro_batches(self.validation)
        ]
        of_all = itertools.chain.from_iterable(processes.gathered(sums))
        loss = math.fsum(of_all) / max(1, num_targets(self.validation))
        if not math.isfinite(loss):
            raise _not_finite("validation loss", Step(self.state.global_step, ()))
        return loss

    def _micro_batches(self, examples: Sequence[Example]) -> Iterator[tuple[list[int], MicroBatch]]:
        """The micro-batches of this process's share of the examples, with indices in these."""
        share, setup = processes.share(lengths(examples)), self.setup
        of_share = micro_batches(
            examples, setup.budget.tokens, setup.pad_id, setup.loss.paths, share
        )
        for indices, batch in of_share:
            yield indices, self._prepare_inputs(batch)

    def _summed_loss(
        self, model: nn.Module, batch: MicroBatch, examples: Sequence[Example]
    ) -> torch.Tensor:
        """The loss summed over the target tokens of a micro-batch, a scalar."""
        return summed_loss(model, self.setup.dtype, self.setup.loss, batch, examples)

    def _clip_grad_norm(self, model: nn.Module) -> torch.Tensor:
        norm = super()._clip_grad_norm(model)
        is_finite = math.isfinite(norm.item())
        # A loss scaler expects overflows, and skips those steps.
        self.skipped = 0 if is_finite else self.skipped + 1
        if not is_finite and (not self.args.fp16 or self.skipped > MAX_SKIPPED_STEPS):
            raise _not_finite("gradient norm", Step(self.state.global_step, ()))
        return norm


def _single_item(items: Sequence[Step]) -> dict[str, Step]:
    """The data loader's batch, which is a single item."""
    (step,) = items
    return {"step": step}


def _not_finite(what: str, step: Step) -> ModelError:
    return ModelError(
        f"the {what} of optimizer step {step.number + 1} is not a finite number; earlier "
        "checkpoints are kept; lower train.learning_rate, or compute in a wider type "
        "(method.compute_dtype)"
    )
