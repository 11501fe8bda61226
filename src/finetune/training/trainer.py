"""Training of an adapter by the Hugging Face Trainer; the best by validation loss is kept."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, TrainerControl, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from finetune.core import interrupts
from finetune.core.errors import ModelError
from finetune.core.memory import GB, trim_heap
from finetune.core.schema import Run, Train
from finetune.methods import registry
from finetune.modeling import precision
from finetune.modeling.footprint import checkpointed
from finetune.modeling.head import head_at
from finetune.training import hardware, state
from finetune.training.budget import Budget
from finetune.training.callbacks import EvaluationSchedule, Heartbeat, ProgressBar
from finetune.training.checkpoints import ResumableTrainer, Resume
from finetune.training.dropout import DropoutKeys
from finetune.training.examples import Example, Step, num_target_tokens, optimizer_steps
from finetune.training.losses import Loss
from finetune.training.micro_batches import MicroBatch, micro_batches

# Points of the training-loss curve: enough to see its shape, few enough for a readable diff.
LOGGED_POINTS = 100
# Two evaluations of one adapter differ by rounding only; relative above 1.
LOSS_TOLERANCE = 1e-3
# A loss scaler starts too high and halves at every overflow: more in a row have another cause.
MAX_SKIPPED_STEPS = 32


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run.

    metrics: what does not depend on the machine; history: the Trainer's log by steps; hardware:
    times, memory and device.
    """

    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    hardware: dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """The model of a run, how it computes, and how its steps are split.

    dtype: the compute type; budget: of a micro-batch; dropout_keys: from `use_row_dropout`.
    """

    model: PreTrainedModel
    pad_id: int
    dtype: torch.dtype
    loss: Loss
    budget: Budget
    dropout_keys: DropoutKeys


class StepTrainer(ResumableTrainer):
    """A Trainer whose data items are whole optimizer steps, which it splits into micro-batches."""

    control: TrainerControl

    def __init__(
        self, setup: Setup, train: Sequence[Example], validation: Sequence[Example], **rest: Any
    ) -> None:
        super().__init__(model=setup.model, data_collator=_single_item, **rest)
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
        trim_heap()  # steps of many shapes would fragment the heap more than any one of them
        return total

    @torch.no_grad()
    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The validation loss: the mean over all target tokens.

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
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

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
) -> TrainingResult:
    """Train the adapter in place; it ends as the one of the best validation loss.

    A killed run resumes from its last checkpoint under `run_state`, with the same order of rows,
    optimizer and random state, to the same adapter. `desc` is the title of the progress bar.

    Raises:
        ModelError: a loss or gradient norm is not finite, or the best checkpoint, when loaded
            again, does not have the validation loss that it was chosen for.
    """
    count, rows = num_steps_and_rows(options, len(examples))
    steps = optimizer_steps(examples, rows, options.batch_size, options.seed)
    trainer = StepTrainer(
        setup,
        examples,
        validation,
        args=_arguments(options, run_options, count, run_state, setup.dtype),
        train_dataset=steps,  # in one long epoch, which the Trainer does not shuffle
        eval_dataset=list(validation),
        callbacks=[
            EvaluationSchedule(count, options.num_evals, run_options.save_minutes),
            ProgressBar(desc),
            Heartbeat(),
        ],
    )
    trainer.remove_callback(PrinterCallback)  # the progress bar shows the losses
    checkpoint = state.last_checkpoint(run_state)
    resumed_at = state.step_of(checkpoint) if checkpoint else 0
    started = time.monotonic()
    with (
        interrupts.deferred("a checkpoint is saved after this step") as interruption,
        checkpointed(setup.model, setup.budget.gradient_checkpointing),
    ):
        trainer.add_callback(Resume(trainer.restore_position, interruption))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - started
    history = list(trainer.state.log_history)
    best = _checked_best_loss(trainer)
    tokens = sum(len(examples[row]["input_ids"]) for s in steps[resumed_at:] for row in s.rows)
    return TrainingResult(
        metrics={
            "rows": len(examples),
            "validation_rows": len(validation),
            "steps": count,
            "epochs": round(rows / len(examples), 2),
            "best_step": trainer.state.best_global_step,
            "validation_loss": round(best, 4),
            "train_loss": round([e["loss"] for e in history if "loss" in e][-1], 4),
            "trainable_parameters": registry.trainable_parameters(setup.model),
        },
        history=history,
        hardware=_hardware(seconds, tokens, resumed_at),
    )


def _checked_best_loss(trainer: StepTrainer) -> float:
    """The best validation loss, after a check that the loaded adapter has it.

    Raises:
        ModelError: it has another one.
    """
    best = trainer.state.best_metric
    reloaded = trainer.evaluate()["eval_loss"]
    if best is None or abs(reloaded - best) > LOSS_TOLERANCE * max(1.0, abs(best)):
        raise ModelError(
            f"the best adapter had validation loss {best}, but gives {reloaded:.4f} now that it is "
            "loaded again; nothing was written"
        )
    return best


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
    options: Train, run: Run, steps: int, run_state: Path, dtype: torch.dtype
) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(run_state),
        max_steps=steps,
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
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        prediction_loss_only=True,
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,  # its items are row numbers
        # The rows are in memory: workers would only cost their start.
        dataloader_num_workers=0,
    )
    # The Trainer uses all visible GPUs, and would give each a step of its own.
    arguments._n_gpu = 1
    return arguments
