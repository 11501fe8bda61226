"""Memory of a training step, measured: how many bytes of tensors live at once."""

import contextlib
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from transformers import PreTrainedModel

from finetune.modeling.head import head_at

# The rows, in tokens, of which the memory of a step is measured: the slope counts, not the offset.
PROBES = (96, 192)


@dataclass(frozen=True)
class Footprint:
    """Bytes that a training step takes: so many at any size, and so many more for each token."""

    fixed: int
    per_token: float

    def of(self, tokens: int) -> int:
        """Bytes of a micro-batch of so many tokens."""
        return round(self.fixed + self.per_token * tokens)

    def times(self, factor: float) -> "Footprint":
        """The footprint with so many bytes for each of these."""
        return Footprint(round(self.fixed * factor), self.per_token * factor)

    def fit(self, free: int) -> int:
        """The tokens of the largest micro-batch that `free` bytes hold."""
        return int((free - self.fixed) / self.per_token)


def measure(
    model: PreTrainedModel,
    learned_rate: float,
    checkpointing: bool = False,
    widths: tuple[int, int] = PROBES,
) -> Footprint:
    """The memory of forward and backward passes of this model, a rate of tokens being learned.

    Two short passes with the model's own layers, over one row of these `widths`; gradients and
    random state are left as they were.
    """
    narrow, wide = (_probe(model, width, learned_rate, checkpointing) for width in widths)
    per_token = max(1.0, (wide - narrow) / (widths[1] - widths[0]))
    return Footprint(max(0, round(narrow - per_token * widths[0])), per_token)


def _probe(model: PreTrainedModel, width: int, learned_rate: float, checkpointing: bool) -> int:
    device = model.device
    ids = torch.ones(1, width, dtype=torch.long, device=device)
    mask = torch.ones_like(ids)
    mask[0, 0] = 0  # as padding: where there is none, transformers makes no mask
    count = max(1, round(learned_rate * width))
    columns = torch.arange(width - count, width, device=device)
    learned = torch.stack([torch.zeros_like(columns), columns])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step() -> None:
        with head_at(model, learned):
            out = model(input_ids=ids, attention_mask=mask, use_cache=False)
        targets = torch.ones(count, dtype=torch.long, device=device)
        loss = torch.nn.functional.cross_entropy(out.logits.float(), targets, reduction="sum")
        torch.autograd.grad(loss, trained, allow_unused=True)

    was_training = model.training
    with torch.random.fork_rng(), checkpointed(model, checkpointing):
        model.train()
        try:
            return peak(step, device.type)
        finally:
            model.train(was_training)


@contextlib.contextmanager
def checkpointed(model: PreTrainedModel, active: bool) -> Iterator[None]:
    """Within, layers compute activations again in the backward pass instead of keeping them."""
    if not active:
        yield
        return
    model.activation_checkpointing_enable({"use_reentrant": False})
    try:
        yield
    finally:
        model.activation_checkpointing_disable()


def peak(work: Callable[[], Any], device: str) -> int:
    """The bytes that `work` needs on a device, beside what is held there already."""
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
    """Counts the bytes of the tensors that come to life within; `peak` is the most at one time.

    It works on real tensors, and on `FakeTensorMode`'s, which have shapes and no memory. Tensors
    that were there before do not count, nor do views, nor what an operator needs inside itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict | None = None
    ) -> Any:
        given = {each.untyped_storage()._cdata for each in _tensors((args, kwargs))}
        out = func(*args, **(kwargs or {}))
        for tensor in _tensors(out):
            storage = tensor.untyped_storage()
            if storage._cdata not in given | self._known:
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
