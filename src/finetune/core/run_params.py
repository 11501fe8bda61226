"""The parameters of the machine: `run`, with what it says of providers and of costs."""

from typing import Annotated, Literal

from pydantic import Field

from finetune.core.section import Count, Section

Auto = Literal["auto"]
# A month: what waits longer is a slip of the keyboard.
MAX_SECONDS = 31 * 24 * 3600
MAX_GB = 1e6
# Those of `inference.engines`, ours first.
EngineName = Literal["builtin", "transformers", "vllm"]
# Those of `data.workers`.
DataEngine = Literal["builtin", "ray"]


class Prices(Section):
    """What a provider charges, in USD for a million tokens, on a day and as some page says.

    `tuned_input` and `tuned_output` are of a tuned model; null is not known.
    """

    input: Annotated[float, Field(ge=0)] | None = None
    output: Annotated[float, Field(ge=0)] | None = None
    tuned_input: Annotated[float, Field(ge=0)] | None = None
    tuned_output: Annotated[float, Field(ge=0)] | None = None
    training: Annotated[float, Field(ge=0)] | None = None
    date: str | None = None
    source: str | None = None


class Origin(Section):
    """The day and the place that a number is from; null is not known."""

    date: str | None = None
    source: str | None = None


class AssumedFraction(Origin):
    """An assumed part of a whole."""

    value: Annotated[float, Field(gt=0, le=1)]


class AssumedNumber(Origin):
    """An assumed number."""

    value: Annotated[float, Field(gt=0)]


class ListPrices(Section):
    """Hosted models, PROVIDER:MODEL, at the list prices of a day."""

    models: list[Annotated[str, Field(pattern=r"^[^:\s]+:\S+$")]]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Costs(Section):
    """What `finetune costs` assumes, each with its origin; `usd_per_hour` is that of the run's.

    `utilization` is the fraction of paid hours in which the machine answers, `months_of_use` how
    long a trained model is used, `bytes_per_token` of hosted models.
    """

    usd_per_hour: Origin = Origin()
    utilization: AssumedFraction
    hours_per_month: AssumedNumber
    months_of_use: AssumedNumber
    bytes_per_token: AssumedNumber
    hosted: ListPrices


class HostedRun(Section):
    """How a provider is asked: `concurrency` requests at once, each given up after
    `timeout_seconds` and tried again up to `max_retries` times where that may help; a training job
    is looked at every `poll_seconds`.
    """

    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    timeout_seconds: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 120.0
    max_retries: Annotated[int, Field(ge=0, le=1000)] = 8
    poll_seconds: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 15.0


# Whether run states are copied, and how long: see `core.remote_state`.
PushState = bool | Literal["until_pushed"]


class Run(Section):
    """The machine: nothing here changes a result beyond rounding, so no stage declares it.

    Budgets are the tokens, padding included, of one forward pass: `token_budget` of training,
    `eval_token_budget` of prompts at inference. `cache_gb` bounds the keys and values that decoding
    holds, `memory_gb` all that a stage may use (10⁹ bytes). `save_minutes` is the most work that a
    kill may cost; `save_steps` saves a checkpoint every so many steps, too. With `push_state` what
    was saved is copied to DVC's remote (with `until_pushed` it stays there at a stage's end), with
    `hub` that of training to a repository of the hub.
    `report_to` are experiment trackers by the names that transformers has for them, beside DVCLive.
    `engine` is who computes answers in base and predict; `vllm_python` the Python of vLLM's own
    environment.
    `processes` is how many train and predict split the rows of an optimizer step and of a file,
    each on a GPU of its own; `accelerate` is a way to split the model too, by a file of
    `conf/accelerate`. `workers` is in how many processes `prepare` cleans rows, which
    `data_engine` starts. `gpu_kernels` trains with Liger's kernels and fused 16-bit LoRA layers.
    `max_usd` is the most that a stage may spend at a provider of hosted models,
    which are asked as `hosted` says, at `hosted_prices`. `costs` is what `finetune costs` assumes.
    """

    token_budget: Auto | Count
    eval_token_budget: Auto | Count
    cache_gb: Auto | Annotated[float, Field(gt=0, le=MAX_GB)]
    memory_gb: Annotated[float, Field(gt=0, le=MAX_GB)] | None
    save_minutes: Annotated[float, Field(gt=0, le=MAX_SECONDS)]
    save_steps: Count | None = None
    push_state: PushState
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    logging_steps: Count | None
    usd_per_hour: Annotated[float, Field(ge=0)] | None
    report_to: list[Annotated[str, Field(pattern=r"^\w+$")]] = Field(default_factory=list)
    engine: EngineName = "builtin"
    vllm_python: str | None = None
    processes: Annotated[int, Field(ge=1, le=1024)] = 1
    workers: Auto | Count = "auto"
    data_engine: DataEngine = "builtin"
    accelerate: Literal["fsdp_qlora", "deepspeed_zero2", "deepspeed_zero3"] | None = None
    gpu_kernels: bool = False
    max_usd: Annotated[float, Field(ge=0)] | None = None
    hosted: HostedRun = HostedRun()
    hosted_prices: Prices = Prices()
    costs: Costs | None = None
