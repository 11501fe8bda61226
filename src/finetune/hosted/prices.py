"""Tokens and costs, estimated before anything is sent, and of what was used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune.core.errors import ParamsError
from finetune.core.schema import Prices, Run

# There is no tokenizer of a hosted model here. English has some four bytes a token; three err on
# the side of more tokens. A message takes a few beside its text.
BYTES_PER_TOKEN, TOKENS_PER_MESSAGE = 3, 6
MILLION = 1_000_000
# Names in `run.hosted_prices` of what a model's answers, those of a tuned one and a job cost.
ANSWERS, TUNED_ANSWERS, TRAINING = ("input", "output"), ("tuned_input", "tuned_output"), "training"


@dataclass(frozen=True)
class Usage:
    """Tokens that were read and written."""

    input: int = 0
    output: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.input + other.input, self.output + other.output)


@dataclass(frozen=True)
class Rates:
    """USD for a million tokens read and written; None where a price is not known.

    names: those of both in `run.hosted_prices`.
    """

    input: float | None
    output: float | None
    names: tuple[str, str] = ANSWERS

    def cost(self, usage: Usage) -> float | None:
        """What tokens cost in USD."""
        if self.input is None or self.output is None:
            return None
        return (usage.input * self.input + usage.output * self.output) / MILLION


def rates(prices: Prices, is_tuned: bool) -> Rates:
    """The prices of answers, of the model as it is or of a tuned one."""
    if is_tuned:
        return Rates(prices.tuned_input, prices.tuned_output, TUNED_ANSWERS)
    return Rates(prices.input, prices.output)


def estimated_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """About how many tokens messages take, rather more than fewer."""
    return sum(
        TOKENS_PER_MESSAGE + -(-len(message["content"].encode()) // BYTES_PER_TOKEN)
        for message in messages
    )


def training_cost(tokens: int, prices: Prices) -> float | None:
    """What a job costs in USD that trains so many tokens, epochs counted."""
    return None if prices.training is None else tokens * prices.training / MILLION


def not_known(run: Run, what: str, names: Sequence[str]) -> str:
    """Why `run.max_usd` cannot be held: the prices among `names` that are not known.

    Empty where they are, or where there is no limit.
    """
    keys = [
        f"run.hosted_prices.{name}" for name in names if getattr(run.hosted_prices, name) is None
    ]
    if run.max_usd is None or not keys:
        return ""
    return (
        f"run.max_usd: is {run.max_usd:g}, and what {what} costs is not known: set "
        f"{', '.join(keys)}, or run.max_usd=null"
    )


def check(run: Run, what: str, usd: float | None, names: Sequence[str], spent: float = 0.0) -> None:
    """See that an estimated cost is within `run.max_usd`, beside what was `spent` already.

    `names` are those of the prices by which it was estimated; None is not known.

    Raises:
        ParamsError: it is not, or nobody knows.
    """
    if run.max_usd is None:
        return
    if usd is None:
        raise ParamsError(not_known(run, what, names))
    if spent + usd > run.max_usd:
        beside = f" beside {spent:.4g} USD spent" if spent else ""
        raise ParamsError(
            f"run.max_usd: is {run.max_usd:g}, and {what} may cost {usd:.4g} USD{beside}; nothing "
            "of it was sent. Raise it, or take fewer rows (data.limit)"
        )
