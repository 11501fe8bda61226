"""Parameters of the model: the base, how it is tuned and held in memory, and its adapter."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune.core.section import Section


class Model(Section):
    """The base model.

    A hub model without a `revision` may stand in a config; no stage starts with it.
    """

    name: str
    source: Literal["local", "hub"]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    watch: str


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
    """

    tuner: Literal["lora", "prefix", "full", "regression_head"] = "lora"
    virtual_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None

    @property
    def has_lora(self) -> bool:
        """Whether an adapter of the section `lora` is trained."""
        return self.tuner in ("lora", "regression_head")

    @property
    def answers_numbers(self) -> bool:
        """Whether the tuned model answers with a number in place of a text."""
        return self.tuner == "regression_head"

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
    alpha: Annotated[float, Field(gt=0)]
    alpha_ratio: Annotated[float, Field(gt=0)] | None = None
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
