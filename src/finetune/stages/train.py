"""train: an adapter on the prompt–completion pairs, the best one on validation rows."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import transformers
from peft import PeftModel
from transformers import TrainerCallback

from finetune.core import entry, killed, paths
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl, replaced_folder, sha256, short_hash, write_json
from finetune.core.params import StageParams
from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt, Run, Train
from finetune.modeling import adapters, precision
from finetune.modeling import base as base_model
from finetune.modeling.base import Base
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.training import budget, curves, state, tracking
from finetune.training.callbacks import LiveCurves
from finetune.training.dropout import use_row_dropout
from finetune.training.examples import Examples, encode
from finetune.training.trainer import ScoreOf, Setup, train

KEPT = "evaluated"  # in the run state: adapters of evaluations


def run(params: StageParams, task: str) -> None:
    """Write the adapter, its curves and `train.json`; a killed run resumes from its checkpoint."""
    _check_one_process()
    tracking.check(params.run.report_to)
    if params.task.train.deterministic:
        precision.use_deterministic_kernels()
    files = [paths.prepared(task) / f"{split}.jsonl" for split in ("train", "validation")]
    base = base_model.load(params.model, params.method)
    encoder = PromptEncoder(base.tokenizer, params.task.prompt, base.context)
    kind = registry.rows(params.task.kind)
    rows = [[kind.Row(**row) for row in read_jsonl(file)] for file in files]
    examples, validation = (encode(split, encoder) for split in rows)
    sections = (params.task.prompt, params.model, params.method, params.lora, params.task.train)
    run_state = state.folder(
        task,
        {
            "params": [section.model_dump() for section in sections],
            "data": [sha256(file) for file in files],
            "model": state.file_identity(Path(params.model.name)),
            "code": state.code_identity(
                Path("dvc.yaml"), "train", params.task.kind, params.task.train.selection
            ),
        },
    )
    with state.locked(run_state):
        transformers.set_seed(params.task.train.seed)  # the adapter's first weights
        model = adapters.attach(base.model, params.lora)
        dropout_keys = use_row_dropout(model)
        all_examples = [*examples.examples, *validation.examples]
        chosen = budget.resolve(
            run_state,
            params.run.token_budget,
            lambda: budget.estimate(params.run, model, base.dtype, all_examples),
            ran_out_of_memory=killed.ran_out_of_memory(),
        )
        killed.note(tokens=chosen.tokens)
        loss = registry.loss(params.task.kind).loss(base.tokenizer, params.task.train)
        score = _score(
            task, params.task.kind, params.task.prompt, params.task.train, params.run,
            base, rows, run_state,
        )  # fmt: skip
        kept = run_state / KEPT
        folders = {
            paths.curves(task): curves.QUALITY,
            paths.hardware_curves(task): curves.HARDWARE,
        }
        with budget.halve_on_out_of_memory(run_state, chosen), curves.writing(folders) as writer:
            done = train(
                Setup(
                    model=model,
                    pad_id=base.tokenizer.pad_token_id,
                    dtype=base.dtype,
                    loss=loss,
                    budget=chosen,
                    dropout_keys=dropout_keys,
                    score=score,
                    keep=_keeper(model, kept) if params.task.train.keep_checkpoints else None,
                ),
                params.task.train,
                params.run,
                examples.examples,
                validation.examples,
                run_state,
                f"train {task}",
                [LiveCurves(writer), *_trackers(params.run, task, run_state)],
            )
        with replaced_folder(paths.adapter(task)) as folder:
            adapters.save(model, folder)
            if kept.is_dir():
                shutil.move(kept, folder / paths.CHECKPOINTS)
    curves.write(done.history, folders)
    adapter = {"adapter_hash": short_hash(paths.adapter(task) / adapters.WEIGHTS)}
    metrics = {**done.metrics, **_counts(examples), **adapter}
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
    """What adapters are chosen by in place of the loss, if the task says so.

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


def _keeper(model: PeftModel, folder: Path) -> Callable[[int], None]:
    """Saves the adapter of an evaluated step."""

    def keep(step: int) -> None:
        with replaced_folder(folder / str(step)) as new:
            adapters.save(model, new)

    return keep


def _trackers(run: Run, task: str, run_state: Path) -> list[TrainerCallback]:
    if not run.report_to:
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


def _check_one_process() -> None:
    """See that this is the only process of the run.

    Raises:
        UserError: a launcher such as torchrun started several.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "WORLD_SIZE is above 1: a run uses one process and one GPU; start it without torchrun, "
            "and for several GPUs one queue worker each, with its own CUDA_VISIBLE_DEVICES"
        )


if __name__ == "__main__":
    entry.main(run)
