"""train: an adapter or a model on the prompt–completion pairs, the best one on validation rows."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import transformers

from finetune.core import entry, killed, launch, paths, processes, runstate
from finetune.core.files import replaced_folder, write_json
from finetune.core.memory import least_available_on
from finetune.core.params import StageParams
from finetune.core.rows import TaskRow
from finetune.core.rows_file import RowsFile, prepared
from finetune.core.schema import Lora, Method, Mixed, Model, Prompt, Run, Train
from finetune.methods import hosted
from finetune.methods import registry as methods
from finetune.methods.registry import Tuner
from finetune.modeling import base as base_model
from finetune.modeling import fused_lora, gpu_kernels, number_head, precision, truncation
from finetune.modeling.base import Base
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.training import budget, curves, shared, tracking
from finetune.training.callbacks import LiveCurves
from finetune.training.dropout import use_row_dropout
from finetune.training.examples import Examples, completion, encode_numbers
from finetune.training.examples import encode as encode_texts
from finetune.training.losses import CROSS_ENTROPY, Loss, number_likelihood
from finetune.training.step_trainer import ScoreOf, Setup
from finetune.training.trainer import TrainingResult, train

if TYPE_CHECKING:
    # Importing the callbacks imports bitsandbytes, which finetune.modeling sets up before.
    from transformers import PreTrainedModel, TrainerCallback

SPLITS = ("train", "validation")
KEPT = "evaluated"  # in the run state: what was trained until each evaluation


@dataclass(frozen=True)
class Options:
    """The parameters of a run."""

    task: str
    kind: str
    prompt: Prompt
    max_truncated: float
    train: Train
    model: Model
    method: Method
    lora: Lora
    run: Run


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
    options = Options(
        task=task,
        kind=params.task.kind,
        prompt=params.task.prompt,
        max_truncated=params.data.max_truncated,
        train=params.task.train,
        model=params.model,
        method=params.method,
        lora=params.lora,
        run=params.run,
    )
    if options.train.adapter_of:
        if processes.is_main():
            shared.take(task, options.train.adapter_of)
        return
    tracking.check(options.run.report_to)
    if options.train.deterministic:
        precision.use_deterministic_kernels()
    files = _files(task)
    if options.method.is_hosted:
        _train_at_provider(options)
        return
    inputs = _inputs(options)
    run_state = _run_state(options, files)
    with runstate.locked(run_state, options.run.push_state, options.run.hub):
        transformers.set_seed(options.train.seed)  # an adapter's first weights
        model = inputs.tuner.attach(inputs.base.model, options.lora, options.method)
        with number_head.answering(model):
            setup = _setup(options, inputs, model, run_state)
            done = _train(options, inputs, setup, run_state)
        if processes.is_main():  # of several processes, one writes
            _write(options, inputs, setup, done, run_state)


def _train_at_provider(options: Options) -> None:
    """Have the model's provider train it, and write the stage's outs."""
    trained = hosted.train(
        options.model,
        options.method,
        options.train,
        options.prompt,
        options.run,
        _rows(options.task, options.kind),
        options.task,
    )
    trained.save(paths.adapter(options.task))
    curves.write(trained.history, _curves(options.task))
    written = methods.written(options.method, paths.adapter(options.task))
    metrics = {options.task: {"train": {**trained.metrics, **written}}}
    write_json(paths.metrics(options.task, "train"), metrics)


def _files(task: str) -> list[Path]:
    return [paths.prepared(task) / f"{split}.jsonl" for split in SPLITS]


def _rows(task: str, kind: str) -> list[RowsFile[TaskRow]]:
    row_type = registry.rows(kind).Row
    return [prepared(task, split, row_type) for split in SPLITS]


def _inputs(options: Options) -> Inputs:
    """The base and the rows.

    Raises:
        DataError: too many rows are truncated, or have nothing to learn from.
    """
    base = base_model.load(options.model, options.method)
    base = base.without_positions(options.method.num_virtual_tokens)
    if options.run.gpu_kernels:
        gpu_kernels.use(base.model)
    tuner = methods.of(options.method)
    encoder = PromptEncoder(base.tokenizer, options.prompt, base.context)
    rows = _rows(options.task, options.kind)
    encode = encode_numbers if tuner.ANSWERS_NUMBERS else encode_texts
    if options.train.mix:
        encoded = _with_others(options, base, (encoder, rows))
    else:
        encoded = [encode(split, encoder) for split in rows]
        for split, examples in zip(SPLITS, encoded, strict=True):
            examples.truncated.check(options.task, split, encoder, options.max_truncated)
    return Inputs(base, tuner, encoder, rows, *encoded)


def _with_others(
    options: Options, base: Base, own: tuple[PromptEncoder, Sequence[Sequence[TaskRow]]]
) -> list[Examples]:
    """The examples of each split, and those of the tasks that this one is trained on, too."""
    tasks = [own]
    for name in options.train.mix:
        of = _mixed(options).tasks[name]
        prompt = cast(Prompt, registry.options(of.kind).Task.section_type("prompt")(**of.prompt))
        tasks.append((PromptEncoder(base.tokenizer, prompt, base.context), _rows(name, of.kind)))
    for name, (encoder, rows) in zip([options.task, *options.train.mix], tasks, strict=True):
        for split, of_split in zip(SPLITS, rows, strict=True):
            counted = truncation.truncated(of_split, encoder)
            counted.check(name, split, encoder, options.max_truncated)
    encoders = [encoder for encoder, _ in tasks]
    weights = [1.0, *options.train.mix.values()]
    return [
        shared.together(split, encoders, weights, options.train.seed)
        for split in zip(*(rows for _, rows in tasks), strict=True)
    ]


def _mixed(options: Options) -> Mixed:
    assert options.train.mixed is not None  # composed, and checked in params.yaml
    return options.train.mixed


def _run_state(options: Options, files: Sequence[Path]) -> Path:
    sections = (options.prompt, options.model, options.method, options.lora, options.train)
    files = [*files, *(file for name in options.train.mix for file in _files(name))]
    identity = runstate.identity(
        "train", options.kind, sections, files, options.model.name, options.train.watched()
    )
    return runstate.folder("train", options.task, identity)


def _setup(options: Options, inputs: Inputs, model: "PreTrainedModel", run_state: Path) -> Setup:
    """The model as it is trained: its loss, its micro-batches, and what chooses what is kept."""
    base, tuner = inputs.base, inputs.tuner
    dropout_keys = use_row_dropout(model)
    fused_lora.fuse(model, base.dtype, options.run.memory_gb, options.run.gpu_kernels)
    loss = _loss(options, inputs, model)
    splits = (inputs.train, inputs.validation)
    examples = [example for split in splits for example in split.probe]
    longest = max(split.longest for split in splits)
    free = least_available_on(model.device.type, options.run.memory_gb)

    def estimate() -> budget.Budget:
        return budget.estimate(
            options.run, model, base.dtype, examples, free, tuner.CAN_CHECKPOINT, loss, longest
        )

    chosen = processes.from_main(
        lambda: budget.resolve(
            run_state,
            options.run.token_budget,
            estimate,
            ran_out_of_memory=killed.ran_out_of_memory(),
            can_checkpoint=tuner.CAN_CHECKPOINT,
        )
    )
    killed.note(tokens=chosen.tokens)
    keep = _keeper(tuner, model, base, run_state / KEPT) if options.train.keep_checkpoints else None
    return Setup(
        model=model,
        pad_id=base.tokenizer.pad_token_id,
        dtype=base.dtype,
        loss=loss,
        budget=chosen,
        dropout_keys=dropout_keys,
        score=_score(options, inputs, run_state),
        keep=keep,
    )


def _loss(options: Options, inputs: Inputs, model: "PreTrainedModel") -> Loss:
    """What is minimized; a number head begins with the median of the train rows.

    Raises:
        ModelError: the loss needs attention masks that the model does not take.
    """
    if inputs.tuner.ANSWERS_NUMBERS:
        cents = (completion(example)[0] for example in inputs.train.probe)
        number_head.start(model, [each / 100 for each in cents])
        return Loss(number_likelihood)
    if options.train.mix:
        return CROSS_ENTROPY  # what all kinds have; numbers in a summary have no expected error
    loss = registry.loss(options.kind).loss(inputs.encoder, options.train)
    if loss.paths:
        methods.check_tree_masks(options.method, model)
    return loss


def _train(options: Options, inputs: Inputs, setup: Setup, run_state: Path) -> TrainingResult:
    folders = _curves(options.task) if processes.is_main() else {}
    with (
        budget.halve_on_out_of_memory(
            run_state, options.run.token_budget, setup.budget, inputs.tuner.CAN_CHECKPOINT
        ),
        curves.writing(folders) as writer,
    ):
        return train(
            setup,
            options.train,
            options.run,
            inputs.train,
            inputs.validation,
            run_state,
            f"train {options.task}",
            [LiveCurves(writer), *_trackers(options.run, options.task, run_state)],
        )


def _write(
    options: Options,
    inputs: Inputs,
    setup: Setup,
    done: TrainingResult,
    run_state: Path,
) -> None:
    """Write the stage's outs."""
    kept = run_state / KEPT
    with replaced_folder(paths.adapter(options.task)) as folder:
        inputs.tuner.save(setup.model, folder, inputs.base.tokenizer)
        if kept.is_dir():
            shutil.copytree(kept, folder / paths.CHECKPOINTS)
    curves.write(done.history, _curves(options.task))
    metrics = {
        **done.metrics,
        **_counts(inputs),
        **({"mix": options.train.mix} if options.train.mix else {}),
        **methods.written(options.method, paths.adapter(options.task)),
        **({"head": "number"} if inputs.tuner.ANSWERS_NUMBERS else {}),
        "run": {**done.hardware, **budget.as_metrics(setup.budget)},
    }
    task = options.task
    write_json(paths.metrics(task, "train"), {task: {"train": metrics}})


def _curves(task: str) -> dict[Path, Mapping[str, str]]:
    return {
        paths.curves(task): curves.QUALITY,
        paths.hardware_curves(task): curves.HARDWARE,
    }


def _score(options: Options, inputs: Inputs, run_state: Path) -> ScoreOf | None:
    """What the best evaluation is chosen by in place of the loss, if the task says so."""
    if options.train.select_by == "loss" or options.train.selection is None:
        return None
    # Not imported where it is not used: see the module.
    from finetune.training.selection import ScoredRows, ValidationScore, halve_saved

    if killed.ran_out_of_memory(scoring=True) and processes.is_main():
        halve_saved(run_state, options.run)
    kind, selection = options.kind, options.train.selection
    evaluation, score = registry.options(kind).Task.selection_options(selection)
    train_rows, validation = inputs.rows
    scored = ScoredRows(
        kind, selection.primary, options.prompt, evaluation, score, validation, train_rows
    )
    return ValidationScore(inputs.base, scored, options.run, run_state, f"validate {options.task}")


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


def _counts(inputs: Inputs) -> dict[str, float]:
    """How long the training rows are, and how many were truncated, also of validation.

    Of many rows, `counted_rows` of them, those that were trained on and a sample.
    """
    train, validation = inputs.train.truncated, inputs.validation.truncated
    return {
        **({} if inputs.train.is_whole else {"counted_rows": train.rows}),
        **inputs.train.tokens(),
        "prompts_truncated": train.prompts,
        "completions_truncated": train.completions,
        "validation_prompts_truncated": validation.prompts,
        "validation_completions_truncated": validation.completions,
        "unlearned": inputs.train.unlearned,
    }


if __name__ == "__main__":
    entry.main(run, in_processes=True)
