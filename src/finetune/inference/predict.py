"""A model's predictions for the rows of a task: one code path for the base and the tuned model."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from transformers import PreTrainedModel

from finetune.core.rows import TaskRow
from finetune.core.schema import Eval, Prompt
from finetune.core.text import input_hash
from finetune.inference.budgets import Budgets
from finetune.inference.engines import registry as engines
from finetune.inference.engines.registry import Engine
from finetune.modeling import precision
from finetune.modeling.base import Base
from finetune.modeling.prompts import Encoded, PromptEncoder, Shot

Prediction = dict[str, Any]
# A kind's own rows, and its own options of `eval`.
RowT = TypeVar("RowT", bound=TaskRow)
EvalT = TypeVar("EvalT", bound=Eval)


@dataclass(frozen=True)
class EvalSpec:
    """What a prediction depends on beside the model: prompt, decoding, and how the kind asks.

    `engine` computes it, which changes nothing beyond rounding.
    """

    prompt: Prompt
    eval: Eval
    answers: "Callable[[Request[Any, Any]], list[Prediction]]"
    engine: Engine = engines.OURS


@dataclass(frozen=True, kw_only=True)
class Request(Generic[RowT, EvalT]):
    """What a kind's `answers` is given: a model, rows and their prompts.

    `model` is the base's own or that with the adapter attached. `train` may give constants that
    stand in for answers that there are none of. `what` names the work in the progress bar.
    """

    base: Base
    model: PreTrainedModel
    rows: Sequence[RowT]
    train: Sequence[RowT]
    eval: EvalT
    encoder: PromptEncoder
    prompts: Sequence[Encoded]
    budgets: Budgets
    engine: Engine
    what: str


def predict(
    base: Base,
    model: PreTrainedModel,
    spec: EvalSpec,
    rows: Sequence[TaskRow],
    train: Sequence[TaskRow],
    what: str,
    budgets: Budgets,
    shots: int = 0,
) -> list[Prediction]:
    """Predictions for `rows`, in their order, not yet scored.

    With `shots`, so many rows of `train` are examples in the prompts, the same for all rows.
    """
    encoder = PromptEncoder(base.tokenizer, spec.prompt, base.context)
    rows, train = ([row.for_prompt(spec.prompt) for row in split] for split in (rows, train))
    examples = [encoder.truncate_shot(shot) for shot in draw(train, shots, spec.eval.seed)]
    prompts = [encoder.encode(row.input, examples) for row in rows]
    request = Request(
        base=base,
        model=model,
        rows=rows,
        train=train,
        eval=spec.eval,
        encoder=encoder,
        prompts=prompts,
        budgets=budgets,
        engine=spec.engine,
        what=what,
    )
    with spec.engine.prepared(model), precision.autocast(model, base.dtype):
        predictions = spec.answers(request)
    for row, prediction, prompt in zip(rows, predictions, prompts, strict=True):
        # Of the text that was asked about: two runs compare on the same questions only.
        prediction["input_hash"] = input_hash(row.input)
        prediction["prompt_truncated"] = prompt.truncated
        if shots:
            prediction |= {"shots": prompt.shots, "shots_dropped": prompt.shots < len(examples)}
    return predictions


def predict_draws(
    base: Base,
    model: PreTrainedModel,
    spec: EvalSpec,
    rows: Sequence[TaskRow],
    train: Sequence[TaskRow],
    what: str,
    budgets: Budgets,
    shots: int = 0,
) -> list[Prediction]:
    """The same as `predict`, then the predictions of further draws, each row with its `draw`.

    There are `eval.draws` where chance decides, of the examples or of the answers; else one.
    """
    draws = spec.eval.draws if shots or spec.eval.is_random else 1
    predictions = predict(base, model, spec, rows, train, what, budgets, shots)
    for k in range(1, draws):
        seeded = spec.eval.model_copy(update={"seed": spec.eval.seed + k})
        drawn = predict(
            base, model, replace(spec, eval=seeded), rows, train,
            f"{what}, draw {k + 1} of {draws}", budgets, shots,
        )  # fmt: skip
        predictions += [{**row, "draw": k} for row in drawn]
    return predictions


def draw(train: Sequence[TaskRow], shots: int, seed: int) -> list[Shot]:
    """Examples for few-shot prompts: so many rows of train, or all that there are."""
    chosen = random.Random(seed).sample(train, min(shots, len(train)))
    return [Shot(row.input, row.completion) for row in chosen]
