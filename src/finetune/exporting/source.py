"""What is exported: a task's tuned model, and what a form is told of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.errors import UserError
from finetune.core.schema import Method, Params
from finetune.inference.engines import registry as engines
from finetune.inference.engines.registry import Engine
from finetune.modeling.base import Base

Into = Literal["original", "dequantized"]


@dataclass(frozen=True)
class Source:
    """A task's tuned model in `folder`.

    into: the base that an adapter is merged into, as it was published (`original`), or as it was
    held in 4 or 8 bits while the adapter was trained on it; llama_cpp: the folder of llama.cpp's
    sources; gguf_type: the type of the weights in a GGUF file.
    """

    task: str
    folder: Path
    settings: Params
    into: Into
    llama_cpp: Path = Path(".llama.cpp")
    gguf_type: str = "f16"

    def label(self, name: str) -> str:
        """The name of a form as a table has it, with its base where there are two."""
        return f"{name}_{self.into}" if self.settings.method.is_quantized else name

    @property
    def on_original(self) -> Method:
        """The method on a base that is not quantized, as other runtimes hold it."""
        return self.settings.method.model_copy(update={"quantization": "none"})


@dataclass(frozen=True)
class Shell:
    """What a loaded model has beside its weights, for a form that is loaded without them."""

    tokenizer: PreTrainedTokenizerBase
    context: int
    dtype: torch.dtype
    generation_config: GenerationConfig

    @classmethod
    def of(cls, base: Base) -> "Shell":
        """That of a loaded model."""
        return cls(base.tokenizer, base.context, base.dtype, base.model.generation_config)

    def around(self, model: PreTrainedModel) -> Base:
        """A model with it."""
        model.generation_config = self.generation_config
        return Base(model, self.tokenizer, self.context, self.dtype)


@dataclass(frozen=True)
class Loaded:
    """An exported form, loaded to answer rows, and the engine that it answers by."""

    base: Base
    engine: Engine = engines.OURS


def refuse_unless_mergeable(source: Source, form: str) -> None:
    """Check that what was tuned can become one set of weights.

    Raises:
        UserError: it cannot.
    """
    tuner = source.settings.method.tuner
    reasons = {
        "prefix": "a trained prefix is no change of the weights",
        "regression_head": "its head answers with a number, which no other runtime knows",
    }
    if tuner in reasons:
        raise UserError(f"--form {form}: cannot be had of method.tuner={tuner}: {reasons[tuner]}")
