"""train: an adapter or a model on the prompt–completion pairs, the best one on validation rows."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import transformers

from finetune.core import entry, killed, launch, paths, processes, runstate
from finetune.core.errors import ModelError
from finetune.core.files import read_jsonl, replaced_folder, write_json
from finetune.core.params import StageParams
from finetune.core.rows import TaskRow
from finetune.core.schema import Prompt, Run, Train
from finetune.methods import registry as methods
from finetune.methods.registry import Tuner
from finetune.modeling import attention, number_head, precision
from finetune.modeling import base as base_model
from finetune.modeling.base import Base
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.training import budget, curves, tracking
from finetune.training.callbacks import LiveCurves
from finetune.training.dropout import use_row_dropout
from finetune.training.examples import Examples, completion, encode_numbers
from finetune.training.examples import encode as encode_texts
from finetune.training.losses import Loss, number_likelihood
from finetune.training.step_trainer import ScoreOf, Setup
from finetune.training.trainer import TrainingResult, train

if TYPE_CHECKING:
    # Importing the callbacks imports bitsandbytes, which finetune.modeling sets up before.
    from transformers import PreTrainedModel, TrainerCallback

NO_TREES = (
    "tasks.….train.number_loss_form: prices needs attention masks that are trees, which this model "
    "or method does not take: set it to digits or auto"
)
KEPT = "evaluated"  # in the run state: what was trained until each evaluation


@dataclass(frozen=True)
class Inputs:
    """What a run trains on: the base, and the rows of train and validation, encoded for it."""

    base: Base
    tuner: Tuner
    encoder: PromptEncoder
    rows: Sequence[Sequence[TaskRow]]
    train: Examples
    validation: Examples


def run(params: StageParams, task: str) -> None:
    """Write what was trained, curves and `train.json`; a killed run resumes from its checkpoint."""
    launch.check_launcher()
    tracking.check(params.run.report_to)
    if params.task.train.deterministic:
        precision.use_deterministic_kernels()
    files = [paths.prepared(task) / f"{split}.jsonl" for split in ("train", "validation")]
    inputs = _inputs(params, files)
    run_state = _run_state(params, task, files)
    with runstate.locked(run_state, params.run.push_state):
        transformers.set_seed(params.task.train.seed)  # an adapter's first weights
        model = inputs.tuner.attach(inputs.base.model, params.lora, params.method)
        with number_head.answering(model):
            setup = _setup(params, task, inputs, model, run_state)
            done = _train(params, task, inputs, setup, run_state)
        if processes.is_main():  # of several processes, one writes
            _write(params, task, inputs, setup, done, run_state)


def _inputs(params: StageParams, files: Sequence[Path]) -> Inputs:
    base = base_model.load(params.model, params.method)
    base = base.without_positions(params.method.num_virtual_tokens)
    tuner = methods.of(params.method)
    encoder = PromptEncoder(base.tokenizer, params.task.prompt, base.context)
    kind = registry.rows(params.task.kind)
    rows = [[kind.Row(**row) for row in read_jsonl(file)] for file in files]
    encode = encode_numbers if tuner.ANSWERS_NUMBERS else encode_texts
    train_examples, validation = (encode(split, encoder) for split in rows)
    return Inputs(base, tuner, encoder, rows, train_examples, validation)


def _run_state(params: StageParams, task: str, files: Sequence[Path]) -> Path:
    options = params.task.train
    sections = (params.task.prompt, params.model, params.method, params.lora, options)
    identity = runstate.identity(
        "train", params.task.kind, sections, files, params.model.name, options.selection
    )
    return runstate.folder("train", task, identity)


def _setup(
    params: StageParams, task: str, inputs: Inputs, model: "PreTrainedModel", run_state: Path
) -> Setup:
    """The model as it is trained: its loss, its micro-batches, and what chooses what is kept."""
    base, tuner, options = inputs.base, inputs.tuner, params.task.train
    dropout_keys = use_row_dropout(model)
    loss = _loss(params, inputs, model)
    all_examples = [*inputs.train.examples, *inputs.validation.examples]

    def estimate() -> budget.Budget:
        return budget.estimate(
            params.run, model, base.dtype, all_examples, tuner.CAN_CHECKPOINT, len(loss.paths)
        )

    chosen = processes.from_main(
        lambda: budget.resolve(
            run_state,
            params.run.token_budget,
            estimate,
            ran_out_of_memory=killed.ran_out_of_memory(),
            can_checkpoint=tuner.CAN_CHECKPOINT,
        )
    )
    killed.note(tokens=chosen.tokens)
    keep = _keeper(tuner, model, base, run_state / KEPT) if options.keep_checkpoints else None
    return Setup(
        model=model,
        pad_id=base.tokenizer.pad_token_id,
        dtype=base.dtype,
        loss=loss,
        budget=chosen,
        dropout_keys=dropout_keys,
        score=_score(
            task, params.task.kind, params.task.prompt, options, params.run,
            base, inputs.rows, run_state,
        ),
        keep=keep,
    )  # fmt: skip


def _loss(params: StageParams, inputs: Inputs, model: "PreTrainedModel") -> Loss:
    """What is minimized; a number head begins with the median of the train rows.

    Raises:
        ModelError: the loss needs attention masks that the model does not take.
    """
    if inputs.tuner.ANSWERS_NUMBERS:
        cents = (completion(example)[0] for example in inputs.train.examples)
        number_head.start(model, [each / 100 for each in cents])
        return Loss(number_likelihood)
    loss = registry.loss(params.task.kind).loss(inputs.encoder, params.task.train)
    if loss.paths and not (inputs.tuner.TAKES_MASKS and attention.takes_tree_masks(model)):
        raise ModelError(NO_TREES)
    return loss


def _train(
    params: StageParams, task: str, inputs: Inputs, setup: Setup, run_state: Path
) -> TrainingResult:
    folders = _curves(task) if processes.is_main() else {}
    with (
        budget.halve_on_out_of_memory(run_state, setup.budget, inputs.tuner.CAN_CHECKPOINT),
        curves.writing(folders) as writer,
    ):
        return train(
            setup,
            params.task.train,
            params.run,
            inputs.train.examples,
            inputs.validation.examples,
            run_state,
            f"train {task}",
            [LiveCurves(writer), *_trackers(params.run, task, run_state)],
        )


def _write(
    params: StageParams,
    task: str,
    inputs: Inputs,
    setup: Setup,
    done: TrainingResult,
    run_state: Path,
) -> None:
    """Write the stage's outs."""
    kept = run_state / KEPT
    with replaced_folder(paths.adapter(task)) as folder:
        inputs.tuner.save(setup.model, folder, inputs.base.tokenizer)
        if kept.is_dir():
            shutil.copytree(kept, folder / paths.CHECKPOINTS)
    curves.write(done.history, _curves(task))
    metrics = {
        **done.metrics,
        **_counts(inputs.train),
        **methods.written(params.method, paths.adapter(task)),
        **({"head": "number"} if inputs.tuner.ANSWERS_NUMBERS else {}),
        "run": {**done.hardware, **budget.as_metrics(setup.budget)},
    }
    write_json(paths.metrics(task, "train"), {task: {"train": metrics}})


def _curves(task: str) -> dict[Path, Mapping[str, str]]:
    return {
        paths.curves(task): curves.QUALITY,
        paths.hardware_curves(task): curves.HARDWARE,
    }


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
