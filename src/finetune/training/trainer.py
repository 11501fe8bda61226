"""Train an adapter with the Hugging Face Trainer, and keep the one of the best validation loss."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from finetune.core.errors import ModelError
from finetune.core.memory import GB, trim_heap
from finetune.core.schema import Run, Train
from finetune.modeling import precision
from finetune.modeling.footprint import checkpointed
from finetune.modeling.head import head_at
from finetune.training import hardware, state
from finetune.training.budget import Budget
from finetune.training.callbacks import Heartbeat, Milestones, Progress
from finetune.training.dropout import Draws
from finetune.training.examples import Example, Step, learned_tokens, optimizer_steps
from finetune.training.losses import CompletionLoss
from finetune.training.micro_batches import MicroBatch, micro_batches

# Points of the training-loss curve: enough to see its shape, few enough to diff.
LOGGED_POINTS = 100
# Two evaluations of one adapter differ by rounding only.
SAME_LOSS = 1e-3
# A loss scaler starts too high and halves at every overflow: so many in a row are no overflow.
SKIPPED_STEPS = 32


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a run: quality, its log by steps, and what it took on this machine."""

    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    hardware: dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """What a run trains, beside its rows: the model, how it computes, and how steps are cut."""

    model: PeftModel
    pad_id: int
    dtype: torch.dtype
    loss: CompletionLoss
    budget: Budget
    draws: Draws


class StepTrainer(Trainer):
    """A Trainer whose data items are whole optimizer steps, cut into micro-batches as it goes."""

    def __init__(
        self, setup: Setup, train: Sequence[Example], validation: Sequence[Example], **rest: Any
    ) -> None:
        super().__init__(model=setup.model, data_collator=_only, **rest)
        self.setup, self.examples, self.validation = setup, train, validation
        self.skipped = 0

    def training_step(
        self, model: nn.Module, inputs: dict[str, Step], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Backward passes over the micro-batches of a step; returns the step's mean loss.

        The mean is over the tokens that the whole step learns, whatever micro-batch they are in.
        """
        model.train()
        step, draws = inputs["step"], self.setup.draws
        examples = [self.examples[row] for row in step.rows]
        learned = max(1, sum(map(learned_tokens, examples)))
        total = torch.zeros((), device=self.args.device)
        for places, batch in self._micro_batches(examples):
            draws.keys = [(self.args.seed, step.number, step.rows[place]) for place in places]
            draws.lengths = [len(examples[place]["input_ids"]) for place in places]
            loss = self._summed_loss(model, batch) / learned
            self.accelerator.backward(loss)
            total += loss.detach()
        if not math.isfinite(total.item()):
            raise _not_finite("loss", step)
        trim_heap()  # or steps of many shapes leave more holes in it than any one of them
        return total

    @torch.no_grad()
    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The validation loss: the sum over all learned tokens over their number.

        A mean over batches would depend on how the machine cuts them.
        """
        self.model.eval()
        sums = [
            self._summed_loss(self.model, batch).item()
            for _, batch in self._micro_batches(self.validation)
        ]
        loss = math.fsum(sums) / max(1, sum(map(learned_tokens, self.validation)))
        if not math.isfinite(loss):
            raise _not_finite("validation loss", Step(self.state.global_step, ()))
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _micro_batches(self, examples: Sequence[Example]) -> Any:
        for places, batch in micro_batches(examples, self.setup.budget.tokens, self.setup.pad_id):
            yield places, self._prepare_inputs(batch)

    def _summed_loss(self, model: nn.Module, batch: MicroBatch) -> torch.Tensor:
        """The loss summed over the learned tokens of a micro-batch."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")}
        with precision.computing(model, self.setup.dtype), head_at(model, batch["learned"]):
            logits = model(**inputs, use_cache=False).logits
        return self.setup.loss(logits, batch["targets"])

    def _clip_grad_norm(self, model: nn.Module) -> torch.Tensor:
        norm = super()._clip_grad_norm(model)
        is_finite = math.isfinite(norm.item())
        # A loss scaler expects overflows, and skips those steps.
        self.skipped = 0 if is_finite else self.skipped + 1
        if not is_finite and (not self.args.fp16 or self.skipped > SKIPPED_STEPS):
            raise _not_finite("gradient norm", Step(self.state.global_step, ()))
        return norm


def _only(items: Sequence[Step]) -> dict[str, Step]:
    """A batch of the loader's: a single item."""
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
    what: str,
) -> TrainingResult:
    """Train the adapter in place; it ends as the one of the best validation loss.

    A run that was killed resumes from its last checkpoint under `run_state`, with the same rows in
    the same order, the same optimizer and random state: to the same adapter.

    Raises:
        ModelError: a loss or gradient norm is not finite, or the best adapter does not have the
            validation loss that it was chosen for.
    """
    count, rows = length(options, len(examples))
    steps = optimizer_steps(examples, rows, options.batch_size, options.seed)
    trainer = StepTrainer(
        setup,
        examples,
        validation,
        args=_arguments(options, run_options, count, run_state, setup.dtype),
        train_dataset=steps,  # one long epoch: the order is ours
        eval_dataset=list(validation),
        callbacks=[
            Milestones(count, options.evaluations, run_options.save_minutes),
            Progress(what),
            Heartbeat(),
        ],
    )
    trainer.remove_callback(PrinterCallback)  # the bar says it
    checkpoint = state.last_checkpoint(run_state)
    started_at = int(checkpoint.name.removeprefix(state.CHECKPOINT)) if checkpoint else 0
    started = time.monotonic()
    with checkpointed(setup.model, setup.budget.gradient_checkpointing):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - started
    history = list(trainer.state.log_history)
    best = trainer.state.best_metric
    again = trainer.evaluate()["eval_loss"]
    if best is None or abs(again - best) > SAME_LOSS * max(1.0, abs(best)):
        raise ModelError(
            f"the best adapter had validation loss {best}, but gives {again:.4f} now that it is "
            "loaded again; nothing was written"
        )
    tokens = sum(len(examples[row]["input_ids"]) for s in steps[started_at:] for row in s.rows)
    return TrainingResult(
        metrics={
            "rows": len(examples),
            "validation_rows": len(validation),
            "steps": count,
            "epochs": round(rows / len(examples), 2),
            "best_step": trainer.state.best_global_step,
            "validation_loss": round(best, 4),
            "train_loss": round([e["loss"] for e in history if "loss" in e][-1], 4),
            "trainable_parameters": setup.model.get_nb_trainable_parameters()[0],
        },
        history=history,
        hardware={
            "device": hardware.device_name(),
            "minutes": round(seconds / 60, 2),
            "tokens_per_second": round(tokens / seconds),
            "peak_memory_gb": round(hardware.peak_memory() / GB, 2),
            "resumed_at_step": started_at,
        },
    )


def length(options: Train, examples: int) -> tuple[int, int]:
    """Optimizer steps, and examples drawn for them, of a run over so many examples."""
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
        warmup_steps=round(steps * options.warmup_share),
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        fp16=dtype == torch.float16,  # for its loss scaler: `precision.computing` is what computes
        seed=options.seed,
        logging_steps=run.logging_steps or max(1, steps // LOGGED_POINTS),
        logging_nan_inf_filter=False,  # it would hide what training_step must see
        # Milestones says when; the strategies must be steps for the best one to be loaded.
        eval_strategy="steps",
        eval_steps=10**9,
        save_strategy="steps",
        save_steps=10**9,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        prediction_loss_only=True,
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,  # its items are row numbers
        # Reads rows that are in memory already: workers would only cost their start.
        dataloader_num_workers=0,
    )
    # The Trainer takes all GPUs that it sees, and would hand each a step of its own.
    arguments._n_gpu = 1
    return arguments
