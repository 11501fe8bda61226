"""train: an adapter or a model on the prompt–completion pairs, that of the best validation loss."""

import os

import transformers

from finetune.core import entry, killed, paths, runstate
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl, replaced_folder, write_json
from finetune.core.params import StageParams
from finetune.methods import registry as methods
from finetune.modeling import base as base_model
from finetune.modeling import precision
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.training import budget, curves
from finetune.training.dropout import use_row_dropout
from finetune.training.examples import Examples, encode
from finetune.training.trainer import Setup, train


def run(params: StageParams, task: str) -> None:
    """Write what was trained, curves and `train.json`; a killed run resumes from its checkpoint."""
    _check_one_process()
    if params.task.train.deterministic:
        precision.use_deterministic_kernels()
    files = [paths.prepared(task) / f"{split}.jsonl" for split in ("train", "validation")]
    base = base_model.load(params.model, params.method)
    base = base.without_positions(params.method.num_virtual_tokens)
    tuner = methods.of(params.method)
    encoder = PromptEncoder(base.tokenizer, params.task.prompt, base.context)
    kind = registry.rows(params.task.kind)
    examples, validation = (
        encode([kind.Row(**row) for row in read_jsonl(file)], encoder) for file in files
    )
    sections = (params.task.prompt, params.model, params.method, params.lora, params.task.train)
    identity = runstate.identity("train", params.task.kind, sections, files, params.model.name)
    run_state = runstate.folder("train", task, identity)
    with runstate.locked(run_state, params.run.push_state):
        transformers.set_seed(params.task.train.seed)  # an adapter's first weights
        model = tuner.attach(base.model, params.lora, params.method)
        dropout_keys = use_row_dropout(model)
        rows = [*examples.examples, *validation.examples]
        chosen = budget.resolve(
            run_state,
            params.run.token_budget,
            lambda: budget.estimate(params.run, model, base.dtype, rows, tuner.CAN_CHECKPOINT),
            ran_out_of_memory=killed.ran_out_of_memory(),
            can_checkpoint=tuner.CAN_CHECKPOINT,
        )
        killed.note(tokens=chosen.tokens)
        loss = registry.loss(params.task.kind).loss(base.tokenizer, params.task.train)
        with budget.halve_on_out_of_memory(run_state, chosen, tuner.CAN_CHECKPOINT):
            done = train(
                Setup(
                    model=model,
                    pad_id=base.tokenizer.pad_token_id,
                    dtype=base.dtype,
                    loss=loss,
                    budget=chosen,
                    dropout_keys=dropout_keys,
                ),
                params.task.train,
                params.run,
                examples.examples,
                validation.examples,
                run_state,
                f"train {task}",
            )
        with replaced_folder(paths.adapter(task)) as folder:
            tuner.save(model, folder, base.tokenizer)
    with replaced_folder(paths.curves(task)) as folder:
        curves.write(done.history, folder)
    written = methods.written(params.method, paths.adapter(task))
    metrics = {**done.metrics, **_counts(examples), **written}
    machine = {**done.hardware, **budget.as_metrics(chosen)}
    write_json(paths.metrics(task, "train"), {task: {"train": {**metrics, "run": machine}}})


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
