"""Tuning by the model's provider: a job behind its API; what is kept is the tuned model's name.

There are no weights here: what other methods do with them is refused in a line.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from finetune.core import runstate
from finetune.core.errors import ModelError, ParamsError, UserError
from finetune.core.files import replaced_folder
from finetune.core.rows import TaskRow
from finetune.core.schema import Method, Model, Prompt, Run, Train
from finetune.hosted import jobs, messages, prices, tuned
from finetune.hosted.client import Client, Json
from finetune.hosted.jobs import Done, Order
from finetune.hosted.messages import TrainingFile
from finetune.hosted.tuned import TunedModel

log = logging.getLogger(__name__)

WEIGHTS = tuned.FILE
HASH = "model_hash"
CAN_CHECKPOINT = False
TAKES_MASKS = False
ANSWERS_NUMBERS = False
NOT_HERE = (
    "method.tuner: is hosted, and a model at its provider has no weights here; the stages train "
    "and predict can use it, nothing else"
)


def attach(*_: object) -> NoReturn:
    """Nothing is attached to a hosted model."""
    raise ModelError(NOT_HERE)


save = load = attach


@dataclass(frozen=True)
class Trained:
    """A job that succeeded: what it made, its losses by step, and what stands in `train.json`."""

    tuned: TunedModel
    history: list[dict[str, Any]]
    metrics: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write what it made in place of the folder."""
        with replaced_folder(folder) as new:
            self.tuned.save(new)


def train(
    model: Model,
    method: Method,
    options: Train,
    prompt: Prompt,
    run: Run,
    rows: Sequence[Sequence[TaskRow]],
    task: str,
) -> Trained:
    """Have the provider tune the model on the rows of train, watched on those of validation.

    A run that was killed finds its job again, which costs nothing.

    Raises:
        ParamsError: a parameter is none that can be sent, the key is missing, or the cost may be
            more than `run.max_usd`.
        DataError: the provider would not take the rows.
        UserError: the job failed.
    """
    _check(options)
    assert model.api is not None
    files = [messages.training_file(split, prompt) for split in rows]
    names = [f"train {task}: the file of {split} rows" for split in ("train", "validation")]
    for file, name in zip(files, names, strict=True):
        messages.check(file, name)
        if file.empty or file.special:
            log.warning(
                f"{name}: {file.empty} empty rows and {file.special} with special tokens of chat "
                "models are left out"
            )
    order = _order(model, method, options, files, task)
    state = runstate.folder("train", task, {"run": order.run})
    with Client(model.api, run.hosted) as client, runstate.locked(state, run.push_state):
        state.mkdir(parents=True, exist_ok=True)
        done = jobs.trained(
            client,
            order,
            state,
            run.hosted.poll_seconds,
            f"train {task}",
            lambda: _check_cost(files[0], options, run, task),
        )
        return _trained(model, order, files, options, run, done, client)


def _check(options: Train) -> None:
    """Refuse what a provider is not asked for, rather than pass over it."""
    if options.epochs != int(options.epochs):
        raise ParamsError(f"train.epochs: is {options.epochs:g}; a provider trains whole epochs")
    for name, value, allowed in (
        ("max_steps", options.max_steps, None),
        ("patience", options.patience, None),
        ("select_by", options.select_by, "loss"),
        ("keep_checkpoints", options.keep_checkpoints, False),
    ):
        if value != allowed:
            shown = "null" if allowed is None else str(allowed).lower()
            raise ParamsError(
                f"train.{name}: is {value}, and with method=hosted must be {shown}: the provider "
                "decides when training ends and what is kept"
            )


def _check_cost(file: TrainingFile, options: Train, run: Run, task: str) -> None:
    """Tell what a new job will cost, before anything is uploaded.

    Raises:
        ParamsError: that may be more than `run.max_usd`.
    """
    tokens = round(file.tokens * options.epochs)
    cost = prices.training_cost(tokens, run.hosted_prices)
    said = "at an unknown price (run.hosted_prices)" if cost is None else f"about {cost:.2f} USD"
    log.info(f"train {task}: {file.rows} rows, about {tokens:,} tokens to train, {said}")
    prices.check(run, f"training {task}", cost, [prices.TRAINING])


def _order(
    model: Model, method: Method, options: Train, files: Sequence[TrainingFile], task: str
) -> Order:
    """What the provider is asked for; its hash is of all that the tuned model depends on.

    Not of our code: a job is paid, and the files that it trains on say all that code did.
    """
    hyperparameters: Json = {
        "n_epochs": int(options.epochs),
        "batch_size": options.batch_size,
        **method.hyperparameters,
    }
    if method.learning_rate_multiplier != "auto":
        hyperparameters["learning_rate_multiplier"] = method.learning_rate_multiplier
    assert model.api is not None
    body: Json = {"model": model.name, "seed": options.seed}
    if model.api.hyperparameters_field == "method":
        supervised = {"hyperparameters": hyperparameters}
        body["method"] = {"type": "supervised", "supervised": supervised}
    else:
        body["hyperparameters"] = hyperparameters
    contents = {
        role: file.content
        for role, file in zip(("training_file", "validation_file"), files, strict=True)
    }
    identity = {
        "base_url": model.api.base_url,
        "body": body,
        "files": {role: hashlib.sha256(text).hexdigest() for role, text in contents.items()},
    }
    run = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]
    return Order(run, {**body, "suffix": jobs.suffix(task, run)}, contents)


def _trained(
    model: Model,
    order: Order,
    files: Sequence[TrainingFile],
    options: Train,
    run: Run,
    done: Done,
    client: Client,
) -> Trained:
    name = done.job.get("fine_tuned_model")
    if not name:
        raise UserError(f"{client.host}: job {done.job['id']} succeeded without a model's name")
    # What the provider chose where it was asked to.
    chosen = {k: v for k, v in _hyperparameters(done.job).items() if v is not None}
    used = {**_hyperparameters(order.body), **chosen}
    assert model.api is not None
    trained_tokens = done.job.get("trained_tokens")
    made = TunedModel(
        base_url=model.api.base_url,
        base_model=model.name,
        fine_tuned_model=str(name),
        job=str(done.job["id"]),
        trained_tokens=trained_tokens,
        run=order.run,
        hyperparameters=used,
    )
    history = jobs.history(done.events)
    estimate = round(files[0].tokens * options.epochs)
    costs = {
        name: prices.training_cost(tokens, run.hosted_prices)
        for name, tokens in (("estimated_usd", estimate), ("usd", trained_tokens))
        if tokens is not None
    }
    metrics = {
        "rows": files[0].rows,
        "validation_rows": files[1].rows,
        "rows_left_out_empty": files[0].empty,
        "rows_left_out_special": files[0].special,
        **_losses(history),
        "epochs": options.epochs,
        "batch_size": used["batch_size"],
        "learning_rate_multiplier": used.get("learning_rate_multiplier", "auto"),
        "estimated_tokens": estimate,
        **({} if trained_tokens is None else {"trained_tokens": trained_tokens}),
    }
    hardware = {
        "provider": client.host,
        **_minutes(done.job),
        **{name: round(cost, 4) for name, cost in costs.items() if cost is not None},
    }
    return Trained(made, history, {**metrics, "run": hardware})


def _hyperparameters(body: Json) -> Json:
    """Those of a job, in either of the two places."""
    in_method = (body.get("method") or {}).get("supervised") or {}
    return in_method.get("hyperparameters") or body.get("hyperparameters") or {}


def _losses(history: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The last step and losses that the provider told."""
    last: dict[str, float] = {"steps": history[-1]["step"]} if history else {}
    for ours, name in (("loss", "train_loss"), ("eval_loss", "validation_loss")):
        values = [entry[ours] for entry in history if ours in entry]
        last |= {name: round(values[-1], 4)} if values else {}
    return last


def _minutes(job: Json) -> dict[str, float]:
    """From a job's creation to its end, waiting in the provider's queue included."""
    start, end = job.get("created_at"), job.get("finished_at")
    if not (isinstance(start, int | float) and isinstance(end, int | float)):
        return {}
    return {"minutes": round((end - start) / 60, 2)}
