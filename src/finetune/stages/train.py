"""train: an adapter or a model on the prompt–completion pairs, the best one on validation rows."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import transformers

from finetune.core import entry, killed, launch, paths, processes, runstate
from finetune.core.files import read_jsonl, replaced_folder, write_json
from finetune.core.params import StageParams
from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt, Run, Train
from finetune.methods import registry as methods
from finetune.methods.registry import Tuner
from finetune.modeling import base as base_model
from finetune.modeling import precision
from finetune.modeling.base import Base
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.training import budget, curves, tracking
from finetune.training.callbacks import LiveCurves
from finetune.training.dropout import use_row_dropout
from finetune.training.examples import Examples, encode
from finetune.training.step_trainer import ScoreOf, Setup
from finetune.training.trainer import train

if TYPE_CHECKING:
    # Importing the callbacks imports bitsandbytes, which finetune.modeling sets up before.
    from transformers import PreTrainedModel, TrainerCallback

KEPT = "evaluated"  # in the run state: what was trained until each evaluation


def run(params: StageParams, task: str) -> None:
    """Write what was trained, curves and `train.json`; a killed run resumes from its checkpoint."""
    launch.check_launcher()
    tracking.check(params.run.report_to)
    if params.task.train.deterministic:
        precision.use_deterministic_kernels()
    files = [paths.prepared(task) / f"{split}.jsonl" for split in ("train", "validation")]
    base = base_model.load(params.model, params.method)
    base = base.without_positions(params.method.num_virtual_tokens)
    tuner = methods.of(params.method)
    encoder = PromptEncoder(base.tokenizer, params.task.prompt, base.context)
    kind = registry.rows(params.task.kind)
    rows = [[kind.Row(**row) for row in read_jsonl(file)] for file in files]
    examples, validation = (encode(split, encoder) for split in rows)
    sections = (params.task.prompt, params.model, params.method, params.lora, params.task.train)
    identity = runstate.identity(
        "train", params.task.kind, sections, files, params.model.name, params.task.train.selection
    )
    run_state = runstate.folder("train", task, identity)
    with runstate.locked(run_state, params.run.push_state):
        transformers.set_seed(params.task.train.seed)  # an adapter's first weights
        model = tuner.attach(base.model, params.lora, params.method)
        dropout_keys = use_row_dropout(model)
        all_examples = [*examples.examples, *validation.examples]
        chosen = processes.from_main(
            lambda: budget.resolve(
                run_state,
                params.run.token_budget,
                lambda: budget.estimate(
                    params.run, model, base.dtype, all_examples, tuner.CAN_CHECKPOINT
                ),
                ran_out_of_memory=killed.ran_out_of_memory(),
                can_checkpoint=tuner.CAN_CHECKPOINT,
            )
        )
        killed.note(tokens=chosen.tokens)
        loss = registry.loss(params.task.kind).loss(base.tokenizer, params.task.train)
        score = _score(
            task, params.task.kind, params.task.prompt, params.task.train, params.run,
            base, rows, run_state,
        )  # fmt: skip
        kept = run_state / KEPT
        keeps = params.task.train.keep_checkpoints
        folders = {
            paths.curves(task): curves.QUALITY,
            paths.hardware_curves(task): curves.HARDWARE,
        }
        if not processes.is_main():
            folders = {}
        with (
            budget.halve_on_out_of_memory(run_state, chosen, tuner.CAN_CHECKPOINT),
            curves.writing(folders) as writer,
        ):
            done = train(
                Setup(
                    model=model,
                    pad_id=base.tokenizer.pad_token_id,
                    dtype=base.dtype,
                    loss=loss,
                    budget=chosen,
                    dropout_keys=dropout_keys,
                    score=score,
                    keep=_keeper(tuner, model, base, kept) if keeps else None,
                ),
                params.task.train,
                params.run,
                examples.examples,
                validation.examples,
                run_state,
                f"train {task}",
                [LiveCurves(writer), *_trackers(params.run, task, run_state)],
            )
        if not processes.is_main():
            return
        with replaced_folder(paths.adapter(task)) as folder:
            tuner.save(model, folder, base.tokenizer)
            if kept.is_dir():
                shutil.copytree(kept, folder / paths.CHECKPOINTS)
        curves.write(done.history, folders)
        written = methods.written(params.method, paths.adapter(task))
        metrics = {**done.metrics, **_counts(examples), **written}
        machine = {**done.hardware, **budget.as_metrics(chosen)}
        write_json(paths.metrics(task, "train"), {task: {"train": {**metrics, "run": machine}}})


def _score(
    task: str,
    kind: str,
    prompt: Prompt,
    options: Train,
    run: Run,
    base: Base,
    rows: Sequence[Sequence[TaskRow]],
    run_state: Path,
) -> ScoreOf | None:
    """What the best evaluation is chosen by in place of the loss, if the task says so.

    `rows` are those of train and of validation.
    """
    if options.select_by == "loss" or options.selection is None:
        return None
    # Not imported where it is not used: see the module.
    from finetune.training.selection import ScoredRows, ValidationScore

    evaluation, score = registry.options(kind).Task.selection_options(options.selection)
    train_rows, validation = rows
    primary = options.selection.primary
    scored = ScoredRows(kind, primary, prompt, evaluation, score, validation, train_rows)
    return ValidationScore(base, scored, run, run_state, f"validate {task}")


def _keeper(
    tuner: Tuner, model: "PreTrainedModel", base: Base, folder: Path
) -> Callable[[int], None]:
    """Saves what was trained until an evaluated step."""

    def keep(step: int) -> None:
        with replaced_folder(folder / str(step)) as new:
            tuner.save(model, new, base.tokenizer)

    return keep


def _trackers(run: Run, task: str, run_state: Path) -> "list[TrainerCallback]":
    if not run.report_to or not processes.is_main():
        return []
    return [tracking.Trackers(run.report_to, tracking.run_name(task), run_state)]


def _counts(examples: Examples) -> dict[str, float]:
    """How long the training rows are, and how many were truncated."""
    return {
        **examples.tokens(),
        "prompts_truncated": examples.prompts_truncated,
        "completions_truncated": examples.completions_truncated,
        "unlearned": examples.unlearned,
    }


if __name__ == "__main__":
    entry.main(run, in_processes=True)
