"""Training by the Hugging Face Trainer; what is best on validation rows is kept."""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from finetune.core import interrupts
from finetune.core.errors import ModelError
from finetune.core.memory import GB, trim_heap
from finetune.core.schema import Run, Train
from finetune.methods import registry
from finetune.modeling import precision
from finetune.modeling.footprint import checkpointed
from finetune.modeling.head import head_at
from finetune.training import evaluations, hardware, state
from finetune.training.advice import advise
from finetune.training.budget import Budget
from finetune.training.callbacks import (
    EarlyStopping,
    EvaluationSchedule,
    Heartbeat,
    ProgressBar,
    RunningLoss,
)
from finetune.training.checkpoints import ResumableTrainer, Resume
from finetune.training.dropout import DropoutKeys
from finetune.training.evaluations import Evaluation
from finetune.training.examples import Example, Step, num_target_tokens, optimizer_steps
from finetune.training.losses import Loss
from finetune.training.meter import Meter
from finetune.training.micro_batches import MicroBatch, micro_batches

log = logging.getLogger(__name__)

# Points of the training-loss curve: enough to see its shape, few enough for a readable diff.
LOGGED_POINTS = 100
# Two evaluations of one adapter differ by rounding only; relative above 1.
LOSS_TOLERANCE = 1e-3
# A loss scaler starts too high and halves at every overflow: more in a row have another cause.
MAX_SKIPPED_STEPS = 32
# What the Trainer knows the best evaluation by: that of the larger one is better.
BEST_STEP = "eval_best_step"


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run; the best adapter is in its model.

    metrics: what does not depend on the machine; history: the Trainer's log by steps; hardware:
    times, memory and device.
    """

    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    hardware: dict[str, Any]


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

        The mean is over the target tokens of the whole step, whatever the micro-batches.
        """
        model.train()
        step, dropout_keys = inputs["step"], self.setup.dropout_keys
        examples = [self.examples[row] for row in step.rows]
        num_targets = max(1, sum(map(num_target_tokens, examples)))
        total = torch.zeros((), device=self.args.device)
        for indices, batch in self._micro_batches(examples):
            dropout_keys.by_row = [(self.args.seed, step.number, step.rows[i]) for i in indices]
            dropout_keys.lengths = [len(examples[i]["input_ids"]) for i in indices]
            loss = self._summed_loss(model, batch) / num_targets
            self.accelerator.backward(loss)
            total += loss.detach()
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
        if score is not None:
            logged[evaluations.SCORE] = score
        if setup.keep:
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
            self._summed_loss(self.model, batch).item()
            for _, batch in self._micro_batches(self.validation)
        ]
        loss = math.fsum(sums) / max(1, sum(map(num_target_tokens, self.validation)))
        if not math.isfinite(loss):
            raise _not_finite("validation loss", Step(self.state.global_step, ()))
        return loss

    def _micro_batches(self, examples: Sequence[Example]) -> Iterator[tuple[list[int], MicroBatch]]:
        for indices, batch in micro_batches(examples, self.setup.budget.tokens, self.setup.pad_id):
            yield indices, self._prepare_inputs(batch)

    def _summed_loss(self, model: nn.Module, batch: MicroBatch) -> torch.Tensor:
        """The loss summed over the target tokens of a micro-batch, a scalar."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")}
        positions = batch["target_positions"]
        with precision.autocast(model, self.setup.dtype), head_at(model, positions):
            logits = model(**inputs, use_cache=False).logits
        return self.setup.loss(logits, batch["targets"])

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


def train(
    setup: Setup,
    options: Train,
    run_options: Run,
    examples: Sequence[Example],
    validation: Sequence[Example],
    run_state: Path,
    desc: str,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainingResult:
    """Train the adapter in place; it ends as the best one on validation rows.

    A killed run resumes from its last checkpoint under `run_state`, with the same order of rows,
    optimizer and random state, to the same adapter; one that had stopped early stays stopped.
    `desc` is the title of the progress bar, `callbacks` are further ones.

    Raises:
        ModelError: a loss or gradient norm is not finite, or the best checkpoint, when loaded
            again, does not have the validation loss that it was chosen for.
    """
    count, rows = num_steps_and_rows(options, len(examples))
    schedule = optimizer_steps(examples, rows, options.batch_size, options.seed)
    patience = EarlyStopping(options.patience, setup.higher_is_better)
    checkpoint = state.last_checkpoint(run_state)
    resumed_at = state.step_of(checkpoint) if checkpoint else 0
    is_over = checkpoint is not None and _stopped(checkpoint, patience)
    steps = schedule[:resumed_at] if is_over else schedule
    trainer = StepTrainer(
        setup,
        examples,
        validation,
        Meter(steps, examples, run_options.usd_per_hour),
        [
            EvaluationSchedule(count, options.num_evals, run_options.save_minutes),
            patience,
            ProgressBar(desc),
            Heartbeat(),
            *callbacks,
        ],
        args=_arguments(options, run_options, count, len(steps), run_state, setup.dtype),
        train_dataset=steps,  # in one long epoch, which the Trainer does not shuffle
        eval_dataset=list(validation),
    )
    trainer.remove_callback(PrinterCallback)  # the progress bar shows the losses
    started = time.monotonic()
    with (
        interrupts.deferred("a checkpoint is saved after this step") as interruption,
        checkpointed(setup.model, setup.budget.gradient_checkpointing),
    ):
        trainer.add_callback(Resume(trainer.restore_position, interruption))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - started
    history = list(trainer.state.log_history)
    last = trainer.state.global_step
    done = evaluations.of_history(history)
    best = evaluations.best(done, setup.higher_is_better)
    _check_loss(trainer, best)
    steps_here = schedule[resumed_at:last]
    tokens = sum(len(examples[row]["input_ids"]) for step in steps_here for row in step.rows)
    rows_seen = sum(len(step.rows) for step in schedule[:last])
    return TrainingResult(
        metrics={
            "rows": len(examples),
            "validation_rows": len(validation),
            "steps": count,
            "epochs": round(rows_seen / len(examples), 2),
            "stopped_early": last < count,
            **({"stopped_at_step": last} if last < count else {}),
            **_choice(setup, best),
            "train_loss": round(done[-1].train_loss, 4),
            **_advice(done, count),
            "trainable_parameters": registry.trainable_parameters(setup.model),
        },
        history=history,
        hardware=_hardware(seconds, tokens, resumed_at),
    )


def _stopped(checkpoint: Path, patience: EarlyStopping) -> bool:
    """Whether the run of a checkpoint had stopped early there."""
    saved = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return patience.is_over(saved)


def _choice(setup: Setup, best: Evaluation) -> dict[str, Any]:
    """The kept adapter's step, losses and score, and what chose it, for `train.json`."""
    by_score = setup.score is not None and best.score is not None
    if setup.score is not None and not by_score:
        log.warning(
            "no evaluation gave a score, as too many validation rows had no answer "
            "(score.max_no_answer): the adapter of the lowest validation loss is kept"
        )
    return {
        "best_step": best.step,
        "selected_by": "score" if by_score else "loss",
        "validation_loss": round(best.loss, 4),
        **({"validation_score": round(best.score, 4)} if best.score is not None else {}),
    }


def _advice(done: Sequence[Evaluation], steps: int) -> dict[str, Any]:
    """Whether the run overfitted, and what to do about its length, for `train.json`."""
    advice = advise(done, steps)
    return {"overfit": advice.overfit, **({"advice": advice.text} if advice.text else {})}


def _check_loss(trainer: StepTrainer, best: Evaluation) -> None:
    """Check that the loaded adapter has the validation loss of the best evaluation.

    Raises:
        ModelError: it has another one.
    """
    reloaded = trainer.validation_loss()
    if abs(reloaded - best.loss) > LOSS_TOLERANCE * max(1.0, abs(best.loss)):
        raise ModelError(
            f"the best adapter had validation loss {best.loss:.4f}, but gives {reloaded:.4f} now "
            "that it is loaded again; nothing was written"
        )


def _hardware(seconds: float, tokens: int, resumed_at: int) -> dict[str, Any]:
    """Device, time, speed and peak memory of training, for `train.json`."""
    return {
        "device": hardware.device_name(),
        "minutes": round(seconds / 60, 2),
        "tokens_per_second": round(tokens / seconds),
        "peak_memory_gb": round(hardware.peak_memory() / GB, 2),
        "resumed_at_step": resumed_at,
    }


def num_steps_and_rows(options: Train, examples: int) -> tuple[int, int]:
    """The number of optimizer steps of a run, and of rows in them, for so many examples."""
    rows = max(1, round(options.epochs * examples))
    if options.max_steps is not None:
        rows = min(rows, options.max_steps * options.batch_size)
    return -(-rows // options.batch_size), rows


def _arguments(
    options: Train, run: Run, steps: int, last: int, run_state: Path, dtype: torch.dtype
) -> TrainingArguments:
    """The Trainer's arguments for a schedule of so many steps, of which `last` is the last."""
    arguments = TrainingArguments(
        # Trackers log it: not an absolute path, which may hold a user's name.
        output_dir=os.path.relpath(run_state),
        max_steps=last,
        per_device_train_batch_size=1,  # an item is a whole optimizer step
        gradient_accumulation_steps=1,
        train_sampling_strategy="sequential",
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.schedule,
        warmup_steps=round(steps * options.warmup_ratio),
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        fp16=dtype == torch.float16,  # for its loss scaler; `precision.autocast` computes
        seed=options.seed,
        logging_steps=run.logging_steps or max(1, steps // LOGGED_POINTS),
        logging_nan_inf_filter=False,  # it would hide values that are not finite from training_step
        # EvaluationSchedule decides when; `load_best_model_at_end` requires these strategies.
        eval_strategy="steps",
        eval_steps=10**9,
        save_strategy="steps",
        save_steps=10**9,
        save_total_limit=None,  # ResumableTrainer rotates checkpoints, when the new one is sealed
        load_best_model_at_end=True,
        metric_for_best_model=BEST_STEP,
        greater_is_better=True,
        prediction_loss_only=True,
        remove_unused_columns=False,
        report_to="none",  # `training.tracking` adds trackers, one by one
        disable_tqdm=True,
        dataloader_pin_memory=False,  # its items are row numbers
        # The rows are in memory: workers would only cost their start.
        dataloader_num_workers=0,
    )
    # The Trainer uses all visible GPUs, and would give each a step of its own.
    arguments._n_gpu = 1
    return arguments
