"""train: an adapter on the prompt–completion pairs, the one of the best validation loss."""

import os
from pathlib import Path

import transformers

from finetune.core import entry, killed, paths
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl, replaced_folder, sha256, short_hash, write_json
from finetune.core.params import Declared
from finetune.modeling import adapters, precision
from finetune.modeling import base as base_model
from finetune.modeling.price_tokens import price_tokens
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.kinds import kind
from finetune.training import budget, curves, state
from finetune.training.dropout import draw_by_row
from finetune.training.examples import encode
from finetune.training.losses import CompletionLoss
from finetune.training.trainer import Setup, train


def run(params: Declared, task: str) -> None:
    """Write the adapter, its curves and `train.json`; a killed run resumes from its checkpoint."""
    _check_one_process()
    if params.train.deterministic:
        precision.use_deterministic_kernels()
    files = [paths.prepared(task) / f"{split}.jsonl" for split in ("train", "validation")]
    base = base_model.load(params.model, params.method)
    encoder = PromptEncoder(base.tokenizer, params.task.prompt, base.context)
    rows_of = kind(params.task.kind)
    examples, validation = (encode(read_jsonl(file), rows_of, encoder) for file in files)

    sections = (params.task.prompt, params.model, params.method, params.lora, params.train)
    run_state = state.folder(
        task,
        {
            "params": [section.model_dump() for section in sections],
            "data": [sha256(file) for file in files],
            "model": state.file_identity(Path(params.model.name)),
            "code": state.code_identity(Path("dvc.yaml"), "train"),
        },
    )
    with state.alone(run_state):
        transformers.set_seed(params.train.seed)  # the adapter's first weights
        model = adapters.attach(base.model, params.lora)
        draws = draw_by_row(model)
        every = [*examples.examples, *validation.examples]
        chosen = budget.resolve(
            run_state,
            params.run.token_budget,
            lambda: budget.find(params.run, model, base.dtype, every),
            was_too_large=killed.ran_out_of_memory(),
        )
        killed.note(tokens=chosen.tokens)
        is_price = params.task.kind == "price"
        loss = CompletionLoss(
            price_tokens(base.tokenizer) if is_price else None, params.train.number_loss
        )
        with budget.halved_if_too_large(run_state, chosen):
            done = train(
                Setup(model, base.tokenizer.pad_token_id, base.dtype, loss, chosen, draws),
                params.train,
                params.run,
                examples.examples,
                validation.examples,
                run_state,
                f"train {task}",
            )
        with replaced_folder(paths.adapter(task)) as folder:
            adapters.save(model, folder)
    with replaced_folder(paths.curves(task)) as folder:
        curves.write(done.history, folder)
    counts = {
        **examples.tokens(),
        "prompts_truncated": examples.prompts_truncated,
        "completions_truncated": examples.completions_truncated,
        "unlearned": examples.unlearned,
    }
    adapter = {"adapter_hash": short_hash(paths.adapter(task) / adapters.WEIGHTS)}
    machine = {**done.hardware, **budget.as_metrics(chosen)}
    metrics = {**done.metrics, **counts, **adapter, "run": machine}
    write_json(paths.metrics(task, "train"), {task: {"train": metrics}})


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
