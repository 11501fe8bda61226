"""Training by the Hugging Face Trainer; what is best on validation rows is kept."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from finetune.core import interrupts, processes
from finetune.core.errors import ModelError
from finetune.core.memory import GB
from finetune.core.schema import Run, Train
from finetune.methods import registry
from finetune.modeling.footprint import checkpointed
from finetune.training import evaluations, hardware, state
from finetune.training.advice import advise
from finetune.training.callbacks import (
    Clock,
    EarlyStopping,
    EvaluationSchedule,
    Heartbeat,
    ProgressBar,
)
from finetune.training.checkpoints import Resume
from finetune.training.evaluations import Evaluation
from finetune.training.examples import Example, Schedule, lengths
from finetune.training.meter import Meter
from finetune.training.step_trainer import BEST_STEP, Setup, StepTrainer

log = logging.getLogger(__name__)

# Points of the training-loss curve: enough to see its shape, few enough for a readable diff.
LOGGED_POINTS = 100
# Two evaluations of one adapter differ by rounding only; relative above 1.
LOSS_TOLERANCE = 1e-3


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run; the best adapter is in its model.

    metrics: what does not depend on the machine; history: the Trainer's log by steps; hardware:
    times, memory and device.
    """

    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    hardware: dict[str, Any]


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
    schedule = Schedule(examples, rows, options.batch_size, options.seed)
    patience, clock = EarlyStopping(options.patience, setup.higher_is_better), Clock()
    checkpoint = processes.from_main(lambda: state.last_checkpoint(run_state))
    resumed_at = state.step_of(checkpoint) if checkpoint else 0
    if resumed_at:
        log.info(f"resumes from step {resumed_at} of {count}")
    is_over = checkpoint is not None and _stopped(checkpoint, patience)
    steps = schedule.until(resumed_at) if is_over else schedule
    trainer = StepTrainer(
        setup,
        examples,
        validation,
        Meter(steps, examples, run_options.usd_per_hour),
        [
            EvaluationSchedule(
                count, options.num_evals, run_options.save_minutes, run_options.save_steps
            ),
            patience,
            clock,
            ProgressBar(desc),
            Heartbeat(),
            *callbacks,
        ],
        args=_arguments(options, run_options, count, len(steps), run_state, setup.dtype),
        train_dataset=steps,  # in one long epoch, which the Trainer does not shuffle
        eval_dataset=validation,
    )
    trainer.remove_callback(PrinterCallback)  # the progress bar shows the losses
    with (
        interrupts.deferred("a checkpoint is saved after this step") as interruption,
        checkpointed(setup.model, setup.budget.gradient_checkpointing),
    ):
        trainer.add_callback(Resume(trainer.restore_position, interruption))
        processes.copy_from_main([p for p in setup.model.parameters() if p.requires_grad])
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = clock.seconds()
    history = list(trainer.state.log_history)
    last = trainer.state.global_step
    done = evaluations.of_history(history)
    best = evaluations.best(done, setup.higher_is_better)
    _check_loss(trainer, best)
    # Also of the steps before it was resumed: what is counted is of all rows that were learned.
    tokens = sum(sum(lengths(examples, step.rows)) for step in schedule.until(last))
    rows_seen = min(rows, last * options.batch_size)
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
            **_advice(setup, done, count),
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


def _advice(setup: Setup, done: Sequence[Evaluation], steps: int) -> dict[str, Any]:
    """Whether the run overfitted, and what to do about its length, for `train.json`."""
    stopped_early = done[-1].step < steps
    advice = advise(done, steps, setup.higher_is_better, stopped_early)
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
    """Device, time, speed and peak memory of training, for `train.json`.

    Time and speed are of the whole run, memory of the process that ended it.
    """
    return {
        "device": hardware.device_name(),
        "minutes": round(seconds / 60, 2),
        "tokens_per_second": round(tokens / seconds),
        # Of the process that took the most.
        "peak_memory_gb": round(max(processes.gathered(hardware.peak_memory())) / GB, 2),
        "processes": processes.count(),
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
