"""Parameters of the model: the base, how it is tuned and held in memory, and its adapter."""

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from finetune.core.section import Section

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Api(Section):
    """Where a hosted model is asked: an API in OpenAI's shapes.

    `key_variable` is the name of the environment variable with the key: the key itself stands in no
    file. `max_tokens_field` is what the provider calls the limit of an answer's tokens, and
    `hyperparameters_field` where it reads those of a training job; `request` is added to each
    request for an answer, where null takes a field out.
    """

    base_url: str
    key_variable: str
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    hyperparameters_field: Literal["method", "hyperparameters"] = "method"
    request: dict[str, Any] = Field(default_factory=dict)

    @field_validator("base_url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        url = urlsplit(value)
        if url.username or url.password or url.query:
            # Not shown: it may hold a secret.
            raise ValueError("holds more than an address: a key belongs into the environment alone")
        is_local = url.hostname in LOOPBACK
        if not url.hostname or url.scheme not in (("http", "https") if is_local else ("https",)):
            raise ValueError(f"is {value!r:.80}, must begin with https://, as a key is sent there")
        return value.rstrip("/")

    @field_validator("key_variable")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value):
            # Not shown: it may be the key itself.
            raise ValueError("must be the name of an environment variable, such as OPENAI_API_KEY")
        return value

    @property
    def host(self) -> str:
        """The provider, as metrics and messages name it."""
        return str(urlsplit(self.base_url).hostname)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.host in LOOPBACK


class Model(Section):
    """The base model.

    A hub model without a `revision` may stand in a config; no stage starts with it. A `hosted` one
    is asked by its `api`, and is never in this machine's memory.
    """

    name: str
    source: Literal["local", "hub", "hosted"]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    watch: str
    api: Api | None = None

    @property
    def is_hosted(self) -> bool:
        """Whether it is behind an API."""
        return self.source == "hosted"

    @model_validator(mode="after")
    def _has_api(self) -> Self:
        if self.is_hosted != (self.api is not None):
            raise ValueError(
                f"source: is {self.source}; a hosted model, and no other, has an api: "
                "-S model=hosted has both"
            )
        return self


class Precision(Section):
    """How the base model is held in memory while it is trained on and used."""

    quantization: Literal["nf4", "int8", "none"]
    double_quantization: bool
    compute_dtype: Literal["auto", "float32", "bfloat16", "float16"]

    @property
    def is_quantized(self) -> bool:
        """Whether linear layers hold their weights in 4 or 8 bits."""
        return self.quantization != "none"

    @property
    def label(self) -> str:
        """The precision in words."""
        return {"nf4": "4 bits", "int8": "8 bits", "none": "not quantized"}[self.quantization]


class Method(Precision):
    """How the base model is tuned, and held in memory meanwhile.

    `virtual_tokens` is the length of a trained prefix, and belongs to the tuner `prefix` alone.
    `learning_rate_multiplier` and `hyperparameters`, sent as they are, belong to `hosted`.
    """

    tuner: Literal["lora", "prefix", "full", "regression_head", "hosted"] = "lora"
    virtual_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None
    learning_rate_multiplier: Literal["auto"] | Annotated[float, Field(gt=0)] = "auto"
    hyperparameters: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @property
    def has_lora(self) -> bool:
        """Whether an adapter of the section `lora` is trained."""
        return self.tuner in ("lora", "regression_head")

    @property
    def answers_numbers(self) -> bool:
        """Whether the tuned model answers with a number in place of a text."""
        return self.tuner == "regression_head"

    @property
    def is_hosted(self) -> bool:
        """Whether a provider trains the model behind its API."""
        return self.tuner == "hosted"

    @property
    def num_virtual_tokens(self) -> int:
        """The positions of the context that a trained prefix takes."""
        return self.virtual_tokens or 0

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.tuner == "full" and self.is_quantized:
            raise ValueError(
                f"quantization: is {self.quantization}, must be none with the tuner full, which "
                "trains all weights: -S method=full, or -S method=qlora for an adapter"
            )
        if self.is_hosted and self.is_quantized:
            raise ValueError(
                f"quantization: is {self.quantization}, must be none with the tuner hosted, which "
                "holds no model here: -S method=hosted"
            )
        if not self.is_hosted and (self.learning_rate_multiplier != "auto" or self.hyperparameters):
            raise ValueError(
                "learning_rate_multiplier: and hyperparameters belong to the tuner hosted: "
                "-S method=hosted"
            )
        if "n_epochs" in self.hyperparameters:
            raise ValueError("hyperparameters: holds n_epochs, which is train.epochs: set that one")
        if self.tuner == "prefix" and self.virtual_tokens is None:
            raise ValueError("virtual_tokens: is not set; the tuner prefix trains so many")
        if self.tuner != "prefix" and self.virtual_tokens is not None:
            raise ValueError(
                f"virtual_tokens: is {self.virtual_tokens}, must be null with the tuner "
                f"{self.tuner}: they belong to -S method=prefix"
            )
        return self


# Starts of an adapter's factors that leave the base's weights as they are.
INDEPENDENT_INITS = ("kaiming", "gaussian")


class Lora(Section):
    """The adapter of the tuners `lora` and `regression_head`.

    `alpha_ratio`, where it is set, stands above `alpha`: alpha is that ratio of `r`.
    """

    r: Annotated[int, Field(ge=1, le=1024)]
    alpha: Annotated[float, Field(gt=0, le=1e6)]
    alpha_ratio: Annotated[float, Field(gt=0, le=1e6)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)]
    target_modules: Annotated[str | list[str], Field(min_length=1)]
    dora: bool = False
    rslora: bool = False
    init: Literal["kaiming", "gaussian", "pissa", "olora", "orthogonal"] = "kaiming"
    bias: Literal["none", "all", "lora_only"] = "none"

    @property
    def effective_alpha(self) -> float:
        """The alpha that decides, of `alpha` and `alpha_ratio`."""
        return self.alpha if self.alpha_ratio is None else self.alpha_ratio * self.r
