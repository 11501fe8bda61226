"""Trained tokens a second against what a user would pick instead.

    pip install --no-deps -r bench/requirements.txt
    python bench/training.py --model models/smollm2 --data ../data/samsum/train.json

The same model, adapter, precision, rows and optimizer steps each time, in a process of its own, so
that the peak of its memory is its own too; ways take turns. Tokens are those of the rows, without
padding. Utilization is the part of the machine's peak that the model's own operations take: 4 N a
token with an adapter and 6 N with all weights (forward 2 N; backward 2 N for activations, and 2 N
for weights where they are trained; N without the input embeddings), against a matrix product that
is timed before each run. GPU rows are for a GPU: not run on one.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interleaved
from interleaved import ROOT
from tabulate import tabulate

BATCH = 16  # rows of an optimizer step
PACKED = 1024  # tokens of a packed row: TRL's own default of `max_length`
RATE = 1e-4


@dataclass(frozen=True)
class Work:
    """What one process trains on."""

    model: str
    task: str
    data: str | None
    rows: int
    r: int
    full: bool


def main() -> None:
    """Print a table of all ways; the first is what the others are compared with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/embedded", help="folder")
    parser.add_argument("--task", default="samsum", help="whose prompt, and generator of rows")
    parser.add_argument("--data", help="rows in the form of the task's source; else generated")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--r", type=int, default=16, help="rank of the adapter")
    parser.add_argument("--full", action="store_true", help="all weights in place of an adapter")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    work = Work(options.model, options.task, options.data, options.rows, options.r, options.full)
    if options.one:
        print(json.dumps(_run(options.one, work)))
        return
    measured = interleaved.in_turns(
        options.ways,
        options.rounds,
        lambda way: interleaved.in_process([__file__, *sys.argv[1:], "--one", way]),
        lambda way, turn, run: print(f"round {turn}, {way}: {run}", file=sys.stderr, flush=True),
    )
    _print(measured, work)


def _print(measured: dict[str, list[interleaved.Run]], work: Work) -> None:
    first = next(iter(measured))
    table = []
    for way, runs in measured.items():
        if any("failed" in run for run in runs):
            table.append([way, "–", "–", "–", "–", runs[0].get("failed", "failed")])
            continue
        rates = [run["tokens"] / run["seconds"] for run in runs]
        ratios = [
            rate * other["seconds"] / other["tokens"]
            for rate, other in zip(rates, measured[first], strict=True)
            if "failed" not in other
        ]
        table.append(
            [
                way,
                f"{statistics.median(rates):.0f}",
                interleaved.spread(ratios),
                f"{100 * statistics.median(run['utilization'] for run in runs):.0f} %",
                f"{max(run['peak_gb'] for run in runs):.2f}",
                f"{runs[0]['steps']:.0f} steps, loss {runs[0]['loss']:.3f}",
            ]
        )
    print(f"{work.model}, {work.task}, {work.rows} rows, r {work.r}")
    headers = ["way", "tokens/s", f"of {first} (spread)", "of peak", "peak GB", "what it did"]
    print(tabulate(table, headers))


def _run(way: str, work: Work) -> dict[str, float]:
    """Train one way; the seconds are those of the optimizer steps, without loading."""
    import torch

    from finetune.core import params
    from finetune.modeling.prompts import PromptEncoder
    from finetune.training import hardware
    from finetune.training.examples import encode

    task = params.read(ROOT / "params.yaml").tasks[work.task]
    base, model = prepared(work.model, work.r, work.full)
    encoder = PromptEncoder(base.tokenizer, task.prompt, base.context)
    examples = encode(interleaved.task_rows(work.task, work.data, work.rows), encoder)
    peak = _peak_flops(model.device.type, model.dtype)
    ids = torch.tensor([examples[0]["input_ids"]], device=model.device)
    model(input_ids=ids).logits.sum().backward()  # the first pass allocates, and loads kernels
    model.zero_grad()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        steps, loss = WAYS[way](model, base, examples, Path(folder), BATCH, [])
        seconds = time.perf_counter() - started
    tokens = sum(len(example["input_ids"]) for example in examples)
    weights = sum(p.numel() for p in base.model.parameters())
    embeddings = base.model.get_input_embeddings().weight.numel()
    tied = base.model.config.get_text_config().tie_word_embeddings
    flops = (6 if work.full else 4) * (weights - (0 if tied else embeddings)) * tokens
    return {
        "tokens": tokens,
        "seconds": round(seconds, 3),
        "steps": steps,
        "loss": round(loss, 4),
        "utilization": round(flops / seconds / peak, 4),
        "peak_gb": round(hardware.peak_memory() / 1e9, 3),
    }


def prepared(folder: str, r: int, full: bool = False) -> tuple[Any, Any]:
    """A base, and its model with a new adapter of rank `r`, or with all weights, to train."""
    import torch
    from transformers import set_seed

    from finetune.core.schema import Lora, Method, Model
    from finetune.methods import registry as methods
    from finetune.modeling import base as base_model

    dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    method = Method(
        tuner="full" if full else "lora",
        quantization="none",
        double_quantization=False,
        compute_dtype=dtype,
    )
    base = base_model.load(Model(name=folder, source="local", revision=None, watch=folder), method)
    lora = Lora(r=r, alpha=2.0 * r, dropout=0.0, target_modules="all-linear")
    set_seed(1)
    model = methods.of(method).attach(base.model, lora, method)
    model.train()
    return base, model


def _peak_flops(device: str, dtype: Any, size: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations a second of the fastest of some matrix products."""
    import torch

    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        product = one @ other
        product[0, 0].item()  # waits for a GPU
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)


# Of model, base, examples, a folder, the rows of an optimizer step and callbacks of the trainer:
# the number of steps, and their mean loss.
Way = Callable[
    [Any, Any, Sequence[dict[str, list[int]]], Path, int, Sequence[Any]], tuple[int, float]
]


def _ours(
    model: Any, base: Any, examples: Any, folder: Path, batch: int, callbacks: Sequence[Any]
) -> tuple[int, float]:
    """One optimizer step a batch, split into micro-batches by a token budget."""
    from finetune.modeling import fused_lora
    from finetune.training import budget
    from finetune.training.dropout import use_row_dropout
    from finetune.training.examples import Schedule
    from finetune.training.losses import Loss, cross_entropy
    from finetune.training.meter import Meter
    from finetune.training.step_trainer import Setup, StepTrainer

    steps = Schedule(examples, len(examples), batch, seed=1)
    dropout_keys = use_row_dropout(model)
    fused_lora.fuse(model, base.dtype)
    device = model.device.type
    tokens = budget.MAX_TOKENS[device]
    setup = Setup(
        model=model,
        pad_id=base.tokenizer.pad_token_id,
        dtype=base.dtype,
        loss=Loss(cross_entropy),
        budget=budget.Budget(tokens),
        dropout_keys=dropout_keys,
    )
    arguments = _arguments(folder, max_steps=len(steps), per_device_train_batch_size=1)
    trainer = StepTrainer(
        setup, examples, examples[:1], Meter(steps, examples, None), list(callbacks),
        args=arguments, train_dataset=steps, eval_dataset=examples[:1],
    )  # fmt: skip
    done = trainer.train()
    return done.global_step, done.training_loss


def _course(
    model: Any, base: Any, examples: Any, folder: Path, batch: int, callbacks: Sequence[Any]
) -> tuple[int, float]:
    """The courses' loop: transformers' Trainer, fixed batches of 4, padded to the longest row."""
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq, Trainer

    at_once = min(4, batch)
    arguments = _arguments(
        folder, per_device_train_batch_size=at_once, gradient_accumulation_steps=batch // at_once,
        num_train_epochs=1,
    )  # fmt: skip
    collator = DataCollatorForSeq2Seq(base.tokenizer, label_pad_token_id=-100)
    with_masks = [{**e, "attention_mask": [1] * len(e["input_ids"])} for e in examples]
    trainer = Trainer(
        model=model, args=arguments, train_dataset=Dataset.from_list(with_masks),
        data_collator=collator, callbacks=list(callbacks),
    )  # fmt: skip
    done = trainer.train()
    return done.global_step, done.training_loss


def _trl(**changed: Any) -> Way:
    """TRL's SFTTrainer; its defaults but for the precision and what is `changed`."""

    def run(
        model: Any, base: Any, examples: Any, folder: Path, rows_of_step: int,
        callbacks: Sequence[Any],
    ) -> tuple[int, float]:  # fmt: skip
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        rows, steps = [], -(-len(examples) // rows_of_step)
        for example in examples:
            learned = [int(label != -100) for label in example["labels"]]
            rows.append({"input_ids": example["input_ids"], "completion_mask": learned})
        at_once = min(8, rows_of_step)
        batch = {
            "per_device_train_batch_size": at_once,
            "gradient_accumulation_steps": rows_of_step // at_once,
        }
        if changed.get("packing"):
            tokens = sum(len(example["input_ids"]) for example in examples)
            packed = max(1, round(tokens / PACKED / steps))
            batch = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": packed}
        config = SFTConfig(
            **_options(folder), **batch, max_steps=steps, bf16=False, completion_only_loss=True,
            eos_token=base.tokenizer.eos_token, **{"max_length": PACKED, **changed},
        )  # fmt: skip
        trainer = SFTTrainer(
            model=model, args=config, train_dataset=Dataset.from_list(rows),
            processing_class=base.tokenizer, callbacks=list(callbacks),
        )  # fmt: skip
        done = trainer.train()
        return done.global_step, done.training_loss

    return run


WAYS: dict[str, Way] = {
    "ours": _ours,
    "courses' loop": _course,
    "TRL, defaults": _trl(),
    "TRL, no checkpointing": _trl(gradient_checkpointing=False),
    "TRL, packing": _trl(gradient_checkpointing=False, packing=True),
    "TRL, padding-free": _trl(gradient_checkpointing=False, padding_free=True, max_length=None),
}


def _options(folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_strategy": "no",
        "dataloader_pin_memory": False,
    }


def _arguments(folder: Path, **changed: Any) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        **_options(folder), remove_unused_columns=False, train_sampling_strategy="sequential",
        prediction_loss_only=True, **changed,
    )  # fmt: skip


if __name__ == "__main__":
    main()
