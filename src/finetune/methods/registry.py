"""The tuners, by the names of `method.tuner`: nobody else asks which one it is."""

from pathlib import Path
from typing import Any, Protocol, cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.core.errors import ModelError
from finetune.core.files import short_hash
from finetune.core.schema import Lora, Method, Model
from finetune.methods import full, hosted, lora, prefix, regression_head
from finetune.modeling import attention
from finetune.modeling.base import Base

MB = 10**6
NO_TREES = (
    "tasks.….train.number_loss_form: prices needs attention masks that are trees, which this model "
    "or method does not take: set it to digits or auto"
)


class Tuner(Protocol):
    """What a tuner's module has.

    WEIGHTS: the file of what was trained; HASH: the key of its hash in `train.json`;
    CAN_CHECKPOINT: whether it goes with gradient checkpointing; TAKES_MASKS: whether attention
    masks reach the model as they are; ANSWERS_NUMBERS: whether the tuned model answers with a
    number in place of a text.
    """

    WEIGHTS: str
    HASH: str
    CAN_CHECKPOINT: bool
    TAKES_MASKS: bool
    ANSWERS_NUMBERS: bool

    def attach(self, model: PreTrainedModel, options: Lora, method: Method) -> PreTrainedModel:
        """The model to train; what is trainable requires gradients.

        Raises:
            ModelError: the tuner does not fit the model.
        """

    def save(
        self, model: PreTrainedModel, folder: Path, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        """Write what was trained, and check what was written.

        Raises:
            ModelError: it is not what is in memory.
        """

    def load(self, options: Model, method: Method, folder: Path) -> Base:
        """The tuned model in evaluation mode, for inference.

        Raises:
            ModelError: it cannot be loaded.
        """


TUNERS = {
    "lora": lora,
    "prefix": prefix,
    "full": full,
    "regression_head": regression_head,
    "hosted": hosted,
}


def of(method: Method) -> Tuner:
    """The tuner of a method."""
    return cast(Tuner, TUNERS[method.tuner])


def load(options: Model, method: Method, folder: Path) -> Base:
    """The tuned model of a folder, for inference; see `Tuner.load`."""
    return of(method).load(options, method, folder).without_positions(method.num_virtual_tokens)


def check_tree_masks(method: Method, model: PreTrainedModel) -> None:
    """See that a model to train takes attention masks that are trees.

    Raises:
        ModelError: it does not, or its method does not.
    """
    if not (of(method).TAKES_MASKS and attention.takes_tree_masks(model)):
        raise ModelError(NO_TREES)


def trainable_parameters(model: PreTrainedModel) -> int:
    """The number of parameters that are trained."""
    return sum(each.numel() for each in model.parameters() if each.requires_grad)


def written(method: Method, folder: Path) -> dict[str, Any]:
    """The hash of what was trained, and its size on disk, for `train.json`."""
    tuner = of(method)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return {tuner.HASH: short_hash(folder / tuner.WEIGHTS), "size_mb": round(size / MB, 3)}
