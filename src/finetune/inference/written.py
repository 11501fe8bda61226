"""Answers of a model that gives texts alone: no ids, no likelihoods, no distributions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from finetune.core.errors import ParamsError
from finetune.core.rows import TaskRow
from finetune.core.schema import Eval, Prompt, TextEval
from finetune.inference.consensus import consensus

RowT = TypeVar("RowT", bound=TaskRow)
EvalT = TypeVar("EvalT", bound=Eval)


@dataclass(frozen=True)
class Written:
    """An answer. refused: the model, or its provider for it, declined; the text is then empty."""

    text: str
    hit_length_cap: bool = False
    refused: bool = False


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn: greedily, or so many `samples` at a temperature."""

    temperature: float = 0.0
    samples: int = 1
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class TextRequest(Generic[RowT, EvalT]):
    """What a kind's `from_texts` is given; `ask` answers the prompts of all rows, in their order.

    Of `train` rows a kind may compute what stands in for a missing answer, such as their median.
    """

    rows: Sequence[RowT]
    train: Sequence[RowT]
    eval: EvalT
    prompt: Prompt
    ask: Callable[[Decoding], list[list[Written]]]

    def greedy(self) -> list[Written]:
        """The most probable answer to each row, as far as the provider gives it."""
        return [answer for (answer,) in self.ask(Decoding(seed=self.eval.seed))]


def flags(answer: Written) -> dict[str, Any]:
    """What is counted of an answer."""
    return {
        "hit_length_cap": answer.hit_length_cap,
        "empty": not (answer.text or answer.refused),
        "refused": answer.refused,
    }


def predictions(rows: Sequence[TaskRow], answers: Sequence[Written]) -> list[dict[str, Any]]:
    """For each row `id`, `prediction` and flags, as `inference.texts` has them but likelihoods."""
    return [
        {"id": row.id, "prediction": answer.text, **flags(answer)}
        for row, answer in zip(rows, answers, strict=True)
    ]


def texts(request: TextRequest[RowT, TextEval]) -> list[dict[str, Any]]:
    """One text a row by the decoding strategy of the options.

    Raises:
        ParamsError: it is beam search, which no provider offers.
    """
    options = request.eval
    if options.decode == "beam":
        raise ParamsError("eval.decode: is beam; a hosted model takes greedy, sample or mbr")
    if options.decode == "greedy":
        return predictions(request.rows, request.greedy())
    count = options.samples if options.decode == "mbr" else 1
    drawn = request.ask(Decoding(options.temperature, count, options.seed))
    chosen = consensus([[answer.text for answer in answers] for answers in drawn])
    return predictions(request.rows, [each[i] for each, i in zip(drawn, chosen, strict=True)])
