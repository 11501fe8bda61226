"""What hosted models ask for a request: list prices of a day, or the prices of a run that asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from finetune.comparing.sources import Source
from finetune.core import lock as lock_file
from finetune.core import params, paths
from finetune.core.errors import ParamsError, UserError
from finetune.core.files import parse_json
from finetune.core.rows import TaskRow
from finetune.core.schema import Costs, Prompt
from finetune.hosted.messages import conversation
from finetune.hosted.prices import MILLION, TOKENS_PER_MESSAGE, Rates, rates

# Tokens at which list prices are looked up: many models have a higher price for long prompts.
LOOKED_UP = 1000
# The stages that ask the untuned and the tuned model, and those that score their answers.
STAGES = {"base": ("base", "evaluate_base"), "tuned": ("predict", "evaluate")}


@dataclass(frozen=True)
class Offer:
    """A hosted model; `usd` is for a request, None where its price is not known.

    scores: of its answers to the test rows, empty where nobody asked them.
    """

    name: str
    usd: float | None
    origin: str
    scores: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """The mean request of a task: tokens as a hosted model may count them, estimated of bytes.

    rows: how many it is the mean of.
    """

    input: float
    output: float
    rows: int = 1

    def usd(self, prices: Rates) -> float | None:
        """What it costs."""
        if prices.input is None or prices.output is None:
            return None
        return (self.input * prices.input + self.output * prices.output) / MILLION


def request(rows: Sequence[TaskRow], prompt: Prompt, bytes_per_token: float) -> Request:
    """The mean over rows: the prompt as a message, and the reference for an answer."""
    asked = [row.for_prompt(prompt) for row in rows]
    messages = [message for row in asked for message in conversation(prompt, row.input)]
    read = sum(len(message["content"].encode()) for message in messages) / bytes_per_token
    written = sum(len(row.completion.encode()) for row in asked) / bytes_per_token
    count = len(rows)
    tokens = (read + TOKENS_PER_MESSAGE * len(messages)) / count
    return Request(tokens, max(1.0, written / count), count)


def version() -> str:
    """The package of list prices, with its version."""
    import genai_prices

    return f"genai-prices {genai_prices.__version__}"


def listed(costs: Costs, of: Request) -> list[Offer]:
    """The hosted models of the parameters at the list prices of their day.

    Raises:
        ParamsError: the list does not have a model.
    """
    origin = f"list price of {costs.hosted.date}, by {version()}"
    return [
        Offer(name, of.usd(list_price(name, costs.hosted.date)), origin)
        for name in costs.hosted.models
    ]


def list_price(name: str, date: str) -> Rates:
    """The prices of PROVIDER:MODEL on a day, in USD for a million tokens.

    Raises:
        ParamsError: the list has no such model, or the day is none.
    """
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    provider, _, model = name.partition(":")
    try:
        day = datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError:
        raise ParamsError(f"run.costs.hosted.date: is {date}, which is no day") from None
    counted = Counted(input_tokens=LOOKED_UP, output_tokens=LOOKED_UP)
    try:
        price = calc_price(counted, model, provider_id=provider, genai_request_timestamp=day)
    except LookupError as error:
        raise ParamsError(f"run.costs.hosted.models: {name}: {error} ({version()})") from None
    to_million = MILLION / LOOKED_UP
    return Rates(float(price.input_price) * to_million, float(price.output_price) * to_million)


def of_run(source: Source, name: str, task: str, of: Request) -> list[Offer]:
    """The hosted model of a run, as it is and tuned, at the run's prices and with its scores.

    Empty where it has no scores of the task. Those of another model, which stand in the run's
    metrics until their stage is run, are none of its own.

    Raises:
        UserError: the run is of no hosted model.
    """
    settings = params.validate_text(source.text("params.yaml"), f"{name}: params.yaml")
    if not settings.model.is_hosted:
        raise UserError(f"{name}: is of {settings.model.name}, which is no hosted model")
    prices = settings.run.hosted_prices
    origin = (
        f"run.hosted_prices of {name}: {prices.date or 'no date'}, {prices.source or 'no source'}"
    )
    stages = lock_file.stages(source.text("dvc.lock"), f"dvc.lock of {name}")
    offers = []
    for metrics, label in (("base", ""), ("tuned", ", tuned")):
        path = paths.metrics(task, metrics).as_posix()
        if not _is_of(settings.model.name, task, metrics, stages):
            continue
        content = parse_json(source.text(path), path)[task]
        usd = of.usd(rates(prices, is_tuned=metrics == "tuned"))
        scores = content["base"] if metrics == "base" else content
        offers.append(Offer(f"{settings.model.name}{label}", usd, origin, scores))
    return offers


def _is_of(model: str, task: str, metrics: str, stages: Mapping[str, Any]) -> bool:
    """Whether a task's metrics are of answers of this hosted model, as dvc.lock has its stages."""
    asking, scoring = (stages.get(f"{stage}@{task}", {}) for stage in STAGES[metrics])
    asked = asking.get("params", {}).get("params.yaml", {}).get("model", {})
    answers = paths.predictions(task, metrics).as_posix()
    (written, scored) = (
        {each["path"]: each.get("md5") for each in of}.get(answers)
        for of in (asking.get("outs", []), scoring.get("deps", []))
    )
    is_scored = written is not None and written == scored
    return is_scored and (asked.get("source"), asked.get("name")) == ("hosted", model)
