"""A model's predictions for the rows of a task: one code path for the base and the tuned model."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from transformers import PreTrainedModel

from finetune.core.rows import TaskRow
from finetune.core.rows_file import for_prompt
from finetune.core.schema import Eval, Prompt
from finetune.core.text import input_hash
from finetune.inference.budgets import Budgets
from finetune.inference.engines import registry as engines
from finetune.inference.engines.registry import Engine
from finetune.modeling import precision
from finetune.modeling.base import Base
from finetune.modeling.prompts import Encoded, PromptEncoder, Shot

Prediction = dict[str, Any]
# So many rows are encoded, sorted by length and answered at a time.
WINDOW = 8192
# Between the seeds of two windows: more than there are draws, each of which adds one.
SEEDS_APART = 2**20
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

    `model` is the base's own or that with the adapter attached. Of `train` rows a kind may
    compute what stands in for a missing answer. `what` names the work in the progress bar.
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
    """Predictions for `rows`, in their order, not yet scored; see `predicted`."""
    return list(predicted(base, model, spec, rows, train, what, budgets, shots))


def predicted(
    base: Base,
    model: PreTrainedModel,
    spec: EvalSpec,
    rows: Sequence[TaskRow],
    train: Sequence[TaskRow],
    what: str,
    budgets: Budgets,
    shots: int = 0,
) -> Iterator[Prediction]:
    """Predictions for `rows`, in their order, not yet scored; of a window of rows at a time.

    With `shots`, so many rows of `train` are examples in the prompts, the same for all rows.
    """
    encoder = PromptEncoder(base.tokenizer, spec.prompt, base.context)
    train = for_prompt(train, spec.prompt)
    examples = [encoder.truncate_shot(shot) for shot in draw(train, shots, spec.eval.seed)]
    for number, start in enumerate(range(0, len(rows), WINDOW)):
        window = [row.for_prompt(spec.prompt) for row in rows[start : start + WINDOW]]
        named = what
        if len(rows) > WINDOW:
            named += f", rows {start + 1:,} to {start + len(window):,} of {len(rows):,}"
        request = Request(
            base=base,
            model=model,
            rows=window,
            train=train,
            eval=spec.eval.model_copy(update={"seed": spec.eval.seed + number * SEEDS_APART}),
            encoder=encoder,
            prompts=[encoder.encode(row.input, examples) for row in window],
            budgets=budgets,
            engine=spec.engine,
            what=named,
        )
        yield from _answered(request, spec, len(examples))


def _answered(request: Request[TaskRow, Eval], spec: EvalSpec, shots: int) -> Iterator[Prediction]:
    """The answers to a request, each with what was asked."""
    with spec.engine.prepared(request.model), precision.autocast(request.model, request.base.dtype):
        predictions = spec.answers(request)
    for row, prediction, prompt in zip(request.rows, predictions, request.prompts, strict=True):
        # Of the text that was asked about: two runs compare on the same questions only.
        prediction["input_hash"] = input_hash(row.input)
        prediction["prompt_truncated"] = prompt.truncated
        if shots:
            prediction |= {"shots": prompt.shots, "shots_dropped": prompt.shots < shots}
        yield prediction


def predict_draws(
    base: Base,
    model: PreTrainedModel,
    spec: EvalSpec,
    rows: Sequence[TaskRow],
    train: Sequence[TaskRow],
    what: str,
    budgets: Budgets,
    shots: int = 0,
) -> Iterator[Prediction]:
    """The same as `predicted`, then the predictions of further draws, each row with its `draw`.

    There are `eval.draws` where chance decides, of the examples or of the answers; else one.
    """
    draws = spec.eval.draws if shots or spec.eval.is_random else 1
    yield from predicted(base, model, spec, rows, train, what, budgets, shots)
    for k in range(1, draws):
        seeded = spec.eval.model_copy(update={"seed": spec.eval.seed + k})
        drawn = predicted(
            base, model, replace(spec, eval=seeded), rows, train,
            f"{what}, draw {k + 1} of {draws}", budgets, shots,
        )  # fmt: skip
        yield from ({**row, "draw": k} for row in drawn)


def draw(train: Sequence[TaskRow], shots: int, seed: int) -> list[Shot]:
    """Examples for few-shot prompts: so many rows of train, or all that there are."""
    chosen = random.Random(seed).sample(train, min(shots, len(train)))
    return [Shot(row.input, row.completion) for row in chosen]
