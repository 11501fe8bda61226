"""The engines, by the names of `run.engine`: nobody else asks which one it is."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

from transformers import PreTrainedModel

from finetune.core.schema import Model, Precision, Run, TextEval
from finetune.inference.budgets import Budgets
from finetune.inference.choices import Distribution
from finetune.inference.continuations import LongerNumbers
from finetune.inference.engines import builtin, reference, vllm_engine
from finetune.inference.generate import Generated, GenerationContext, References
from finetune.modeling.choice_tree import Tree


class Engine(Protocol):
    """What an engine has: a module's functions, or an object's methods.

    What they are given and return is said where our own are: `inference.generate`,
    `inference.choices` and `inference.likelihood`.
    """

    def prepared(self, model: PreTrainedModel) -> AbstractContextManager[None]:
        """A context in which the model stands as the engine uses it."""

    def generate(
        self,
        context: GenerationContext,
        prompts: Sequence[list[int]],
        references: References,
        options: TextEval,
    ) -> list[Generated]:
        """One answer to each prompt, by the decoding strategy of the options."""

    def greedy(
        self,
        context: GenerationContext,
        prompts: Sequence[list[int]],
        references: References = None,
    ) -> list[Generated]:
        """Greedy decoding."""

    def sample(
        self,
        context: GenerationContext,
        prompts: Sequence[list[int]],
        count: int,
        temperature: float,
        seed: int,
        references: References = None,
    ) -> list[list[Generated]]:
        """`count` sampled answers to each prompt."""

    def distributions(
        self,
        model: PreTrainedModel,
        prompts: Sequence[list[int]],
        tree: Tree,
        prune_below: float,
        budgets: Budgets,
        pad_id: int,
        what: str,
        longer: LongerNumbers | None = None,
    ) -> list[Distribution]:
        """The distribution over the tree's choices after each prompt."""

    def last_outputs(
        self,
        model: PreTrainedModel,
        prompts: Sequence[list[int]],
        budgets: Budgets,
        pad_id: int,
        what: str,
    ) -> list[tuple[float, ...]]:
        """The outputs of the last layer after each prompt, of a head that writes no text."""

    def likelihoods(
        self,
        model: PreTrainedModel,
        contexts: Sequence[list[int]],
        completions: Sequence[list[int]],
        budgets: Budgets,
        what: str,
    ) -> list[float]:
        """-log p(completion | context) of each pair in nats, summed over the completion."""


BUILTIN, REFERENCE, VLLM = "builtin", "transformers", "vllm"
NAMES = (BUILTIN, REFERENCE, VLLM)
OURS = cast(Engine, builtin)


def of(run: Run, model: Model, how: Precision, tuned: Path | None = None) -> Engine:
    """The engine that `run` names, for a base model, or for what was tuned into the folder `tuned`.

    Raises:
        ParamsError: it cannot be had here, or not for this model.
    """
    if run.engine == VLLM:
        return vllm_engine.of(run.vllm_python, model, how, tuned)
    return cast(Engine, {BUILTIN: builtin, REFERENCE: reference}[run.engine])
