"""Train an adapter with the Hugging Face Trainer, and keep the one of the best validation loss."""

import platform
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from finetune.errors import ModelError
from finetune.schema import Train
from finetune.training import state
from finetune.training.callbacks import Milestones, Progress
from finetune.training.examples import Collator, Example, order
from finetune.training.losses import CompletionLoss

# Points of the training-loss curve: enough to see its shape, few enough to diff.
LOGGED_POINTS = 100
# Two evaluations of one adapter differ by rounding only.
SAME_LOSS = 1e-3


@dataclass(frozen=True)
class Run:
    """What a run has to show: quality, its log by steps, and what it took on this machine."""

    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    hardware: dict[str, Any]


def train(
    model: PeftModel,
    pad_id: int,
    options: Train,
    examples: Sequence[Example],
    validation: Sequence[Example],
    run_state: Path,
    what: str,
    price_tokens: Sequence[int] | None = None,
) -> Run:
    """Train the adapter in place; it ends as the one of the best validation loss.

    A run that was killed goes on from its last checkpoint under `run_state`, with the same rows in
    the same order, the same optimizer and random state: to the same adapter. `price_tokens` are the
    tokens of the prices 0, 1, …, where the task is prices and each has one.

    Raises:
        ModelError: the best adapter does not have the validation loss that it was chosen for.
    """
    steps, rows = length(options, len(examples))
    chosen = order([len(e["input_ids"]) for e in examples], rows, options.batch_size, options.seed)
    trainer = Trainer(
        model=model,
        args=_arguments(options, steps, run_state),
        train_dataset=[examples[i] for i in chosen],  # one long epoch: the order is ours
        eval_dataset=list(validation),
        data_collator=Collator(pad_id),
        compute_loss_func=CompletionLoss(price_tokens, options.number_loss),
        callbacks=[Milestones(steps, options.evaluations), Progress(what)],
    )
    trainer.remove_callback(PrinterCallback)  # the bar says it
    checkpoint = state.last_checkpoint(run_state)
    started_at = int(checkpoint.name.removeprefix(state.CHECKPOINT)) if checkpoint else 0
    started = time.monotonic()
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
    tokens = sum(len(examples[i]["input_ids"]) for i in chosen[started_at * options.batch_size :])
    return Run(
        metrics={
            "rows": len(examples),
            "validation_rows": len(validation),
            "steps": steps,
            "epochs": round(rows / len(examples), 2),
            "best_step": trainer.state.best_global_step,
            "validation_loss": round(best, 4),
            "train_loss": round([e["loss"] for e in history if "loss" in e][-1], 4),
            "trainable_parameters": model.get_nb_trainable_parameters()[0],
        },
        history=history,
        hardware={
            "device": _device_name(),
            "minutes": round(seconds / 60, 2),
            "tokens_per_second": round(tokens / seconds),
            "peak_memory_gb": round(_peak_memory() / 2**30, 2),
            "resumed_at_step": started_at,
        },
    )


def length(options: Train, examples: int) -> tuple[int, int]:
    """Optimizer steps, and examples drawn for them, of a run over so many examples."""
    rows = max(1, round(options.epochs * examples))
    if options.max_steps is not None:
        rows = min(rows, options.max_steps * options.batch_size)
    return -(-rows // options.batch_size), rows


def _arguments(options: Train, steps: int, run_state: Path) -> TrainingArguments:
    bfloat16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return TrainingArguments(
        output_dir=str(run_state),
        max_steps=steps,
        per_device_train_batch_size=options.micro_batch_size,
        gradient_accumulation_steps=options.batch_size // options.micro_batch_size,
        per_device_eval_batch_size=options.micro_batch_size,
        train_sampling_strategy="sequential",
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.schedule,
        warmup_steps=round(steps * options.warmup_share),
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        bf16=bfloat16,
        seed=options.seed,
        logging_steps=max(1, steps // LOGGED_POINTS),
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
        dataloader_pin_memory=torch.cuda.is_available(),
        # Reads rows that are in memory already: workers would only cost their start.
        dataloader_num_workers=0,
    )


def _device_name() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    # Python's own `platform.processor` is empty on Linux.
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    return f"CPU ({name}), {torch.get_num_threads()} threads"


def _peak_memory() -> int:
    """Bytes: of the GPU's memory where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
