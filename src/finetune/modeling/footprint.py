"""Measures the memory of a training step: the peak of live tensors, in bytes."""

import contextlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from transformers import PreTrainedModel

from finetune.modeling.head import head_at

# The lengths, in tokens, of the two rows that a step is measured with: the slope is what counts.
PROBE_WIDTHS = (96, 192)


@dataclass(frozen=True)
class Footprint:
    """Peak bytes of a training step, as a linear function of the tokens of its micro-batch."""

    fixed: int
    per_token: float

    def bytes_for(self, tokens: int) -> int:
        """Peak bytes of a micro-batch of so many tokens."""
        return round(self.fixed + self.per_token * tokens)

    def scaled(self, factor: float) -> "Footprint":
        """The footprint with all bytes multiplied by a factor."""
        return Footprint(round(self.fixed * factor), self.per_token * factor)

    def max_tokens(self, free: int) -> int:
        """The tokens of the largest micro-batch that fits into `free` bytes."""
        return int((free - self.fixed) / self.per_token)


def measure(
    model: PreTrainedModel,
    target_rate: float,
    checkpointing: bool = False,
    widths: tuple[int, int] = PROBE_WIDTHS,
) -> Footprint:
    """The footprint of a step that minimizes cross-entropy.

    Fitted to one pass with each of two `widths`, in tokens of a single row. `target_rate` is the
    fraction of tokens that the loss is computed on.
    """
    narrow, wide = (Pass(width, _cross_entropy(model, width, target_rate)) for width in widths)
    return fitted(model, narrow, wide, checkpointing)


@dataclass(frozen=True)
class Pass:
    """A forward pass over so many tokens, padding included: `loss` gives a scalar."""

    tokens: int
    loss: Callable[[], torch.Tensor]


def fitted(
    model: PreTrainedModel, narrow: Pass, wide: Pass, checkpointing: bool = False
) -> Footprint:
    """The footprint of two forward and backward passes, without the gradients that they leave.

    Gradients and random state are not changed.
    """
    fewer, more = (_peak_of(model, each.loss, checkpointing) for each in (narrow, wide))
    per_token = max(1.0, (more - fewer) / (wide.tokens - narrow.tokens))
    return Footprint(max(0, round(fewer - per_token * narrow.tokens)), per_token)


def _cross_entropy(
    model: PreTrainedModel, width: int, target_rate: float
) -> Callable[[], torch.Tensor]:
    """The forward pass over a single row of `width` tokens."""
    device = model.device
    ids = torch.ones(1, width, dtype=torch.long, device=device)
    mask = torch.ones_like(ids)
    mask[0, 0] = 0  # one column of padding: without any, transformers creates no mask
    count = max(1, round(target_rate * width))
    columns = torch.arange(width - count, width, device=device)
    positions = torch.stack([torch.zeros_like(columns), columns])

    def loss() -> torch.Tensor:
        with head_at(model, positions):
            out = model(input_ids=ids, attention_mask=mask, use_cache=False)
        targets = torch.ones(count, dtype=torch.long, device=device)
        return torch.nn.functional.cross_entropy(out.logits.float(), targets, reduction="sum")

    return loss


def _peak_of(model: PreTrainedModel, loss: Callable[[], torch.Tensor], checkpointing: bool) -> int:
    """Peak bytes of a forward pass and its backward pass."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    was_training = model.training
    with (
        torch.random.fork_rng(),
        checkpointed(model, checkpointing),
        _gradients_dropped(trainable),
    ):
        model.train()
        try:
            return peak_bytes(lambda: loss().backward(), model.device.type)
        finally:
            model.train(was_training)


@contextlib.contextmanager
def _gradients_dropped(parameters: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """Drop each gradient as it is computed; on exit those from before are back.

    They count with the optimizer (`training.budget`): where all weights are trained, as much as
    the weights.
    """
    before = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None

    def drop(parameter: torch.Tensor) -> None:
        parameter.grad = None

    hooks = [each.register_post_accumulate_grad_hook(drop) for each in parameters]
    try:
        yield
    finally:
        for parameter, grad, hook in zip(parameters, before, hooks, strict=True):
            hook.remove()
            parameter.grad = grad


@contextlib.contextmanager
def checkpointed(model: PreTrainedModel, active: bool) -> Iterator[None]:
    """Gradient checkpointing in this context: activations are recomputed in the backward pass."""
    if not active:
        yield
        return
    model.activation_checkpointing_enable({"use_reentrant": False})
    try:
        yield
    finally:
        model.activation_checkpointing_disable()


def peak_bytes(work: Callable[[], Any], device: str) -> int:
    """The peak of the bytes that `work` allocates on a device, beyond those already allocated."""
    if device == "cpu":
        with LiveBytes() as live:
            work()
        return live.peak
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are created in this context; `peak` is their maximum.

    It works on real tensors and on those of `FakeTensorMode`, which have shapes but no memory. Not
    counted are tensors that existed before, views, and operators' internal buffers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        inputs = {each.untyped_storage()._cdata for each in _tensors((args, kwargs))}
        out = func(*args, **(kwargs or {}))
        for tensor in _tensors(out):
            storage = tensor.untyped_storage()
            if storage._cdata not in inputs | self._known:
                self._add(storage)
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_iter(tree) if isinstance(leaf, torch.Tensor))
