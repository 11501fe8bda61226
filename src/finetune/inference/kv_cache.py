"""KV cache of a batch: preallocated, with rows that can be selected, sliced and dropped."""

import contextlib
import copy
from collections.abc import Iterator, Sequence

import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from finetune.core.errors import ModelError
from finetune.modeling.attention import accepts_argument, unwrapped
from finetune.modeling.batches import position_ids

# Columns by which a layer's buffers grow once the reserved ones are used up.
GROWTH = 32


class PreallocatedLayer(DynamicLayer):
    """Keys and values of one layer, each (rows, heads, columns, head size), in larger buffers.

    transformers' own layer copies the whole cache at every decode step.
    """

    is_initialized: bool
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, extra_columns: int = 0) -> None:
        """`extra_columns` are reserved behind those of the first update."""
        super().__init__()
        self.extra_columns = extra_columns
        self.buffers: tuple[torch.Tensor, ...] = ()  # of keys and of values, once there are any

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append columns; returns the keys and values of all columns."""
        if not self.is_initialized:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys, self.values = key_states[..., :0, :], value_states[..., :0, :]
            self.is_initialized = True
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if not self.buffers or self.buffers[0].shape[-2] < end:
            columns = end + (GROWTH if self.buffers else self.extra_columns)
            self.buffers = tuple(_reallocated(each, columns) for each in (self.keys, self.values))
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[..., start:end, :] = new
        self.keys, self.values = (buffer[..., :end, :] for buffer in self.buffers)
        return self.keys, self.values

    def select_rows(self, rows: torch.Tensor, extra_columns: int) -> "PreallocatedLayer":
        """A copy of these rows, in this order, with `extra_columns` reserved."""
        layer = PreallocatedLayer(extra_columns)
        columns = self.keys.shape[-2]
        layer.dtype, layer.device, layer.is_initialized = self.dtype, self.device, True
        layer.buffers = tuple(
            _reallocated(each, columns + extra_columns, rows) for each in (self.keys, self.values)
        )
        layer.keys, layer.values = (buffer[..., :columns, :] for buffer in layer.buffers)
        return layer

    def blank(self, rows: int, extra_columns: int) -> "PreallocatedLayer":
        """A layer of so many rows with the columns of this one, all zero, and a reserve."""
        layer = PreallocatedLayer(extra_columns)
        _, heads, columns, size = self.keys.shape
        layer.dtype, layer.device, layer.is_initialized = self.dtype, self.device, True
        # Zeros: a masked column's values are multiplied by 0, which of NaN is NaN.
        layer.buffers = tuple(
            each.new_zeros(rows, heads, columns + extra_columns, size)
            for each in (self.keys, self.values)
        )
        layer.keys, layer.values = (buffer[..., :columns, :] for buffer in layer.buffers)
        return layer

    def put_rows(self, rows: torch.Tensor, other: "PreallocatedLayer") -> None:
        """Write all rows of a layer into the last columns of these."""
        before = self.keys.shape[-2] - other.keys.shape[-2]
        self.keys[rows, :, before:] = other.keys
        self.values[rows, :, before:] = other.values

    def slice_rows(self, start: int, stop: int) -> "PreallocatedLayer":
        """A view of some rows: columns appended to it are written into this layer's reserve."""
        layer = copy.copy(self)
        layer.buffers = tuple(buffer[start:stop] for buffer in self.buffers)
        layer.keys, layer.values = (each[start:stop] for each in (self.keys, self.values))
        return layer

    def keep_rows(self, rows: torch.Tensor, moved: torch.Tensor) -> None:
        """Drop all rows but these, in place; `moved` are the new positions of rows that move."""
        columns = self.keys.shape[-2]
        for buffer in self.buffers:
            buffer[moved, :, :columns] = buffer[rows[moved], :, :columns]
        self.buffers = tuple(buffer[: len(rows)] for buffer in self.buffers)
        self.keys, self.values = (buffer[..., :columns, :] for buffer in self.buffers)


def _reallocated(
    states: torch.Tensor, columns: int, rows: torch.Tensor | None = None
) -> torch.Tensor:
    """A copy of all rows, or of some, at the start of a tensor with so many columns."""
    count, heads, used, size = states.shape
    buffer = states.new_empty(count if rows is None else len(rows), heads, columns, size)
    buffer[..., :used, :] = states if rows is None else states[rows]
    return buffer


class CachedBatch:
    """A batch of token sequences with its KV cache and the logits of the next tokens.

    cache: keys and values of all columns.
    mask: (rows, columns), 0 where a column is padding, which may be in any column.
    logits: (rows, vocabulary), of the token after the last column.
    """

    def __init__(
        self, model: PreTrainedModel, cache: DynamicCache, mask: torch.Tensor, logits: torch.Tensor
    ) -> None:
        self.model, self.cache, self.mask, self.logits = model, cache, mask, logits

    @torch.inference_mode()
    def extend(
        self, ids: torch.Tensor, mask: torch.Tensor | None = None, num_logits: int = 1
    ) -> torch.Tensor:
        """Append tokens to each row: a decode step where it is one column, else a chunk.

        Args:
            ids: (rows, new columns), on any device.
            mask: (rows, new columns), 0 for padding; no padding where it is None.
            num_logits: for how many of the last columns logits are computed.

        Returns:
            (rows, num_logits, vocabulary); those of the last column become `logits`.
        """
        device = self.model.device
        ids = ids.to(device)
        mask = torch.ones_like(ids) if mask is None else mask.to(device)
        self.mask = torch.cat([self.mask, mask], dim=1)
        positions = position_ids(self.mask)[:, -ids.shape[1] :]
        logits = self.forward(ids, self.mask, positions, num_logits)
        self.logits = logits[:, -1]
        return logits

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, num_logits: int
    ) -> torch.Tensor:
        """One forward pass that appends to the cache, but leaves `mask` and `logits` alone.

        Args:
            ids: (rows, new columns).
            mask: (rows, all columns), or (rows, 1, new columns, all columns).
            positions: (rows, new columns), the position ids of the new columns.
            num_logits: for how many of the last columns logits are computed.

        Returns:
            Logits (rows, num_logits, vocabulary).
        """
        return _forward(self.model, self.cache, ids, mask, positions, num_logits)

    @torch.inference_mode()
    def blank(self, rows: int, extra_columns: int) -> "CachedBatch":
        """A batch of so many rows with the columns of this one, for `put_rows`; all are masked.

        Only with full attention in each layer.
        """
        cache = copy.copy(self.cache)
        cache.layers = [layer.blank(rows, extra_columns) for layer in self.cache.layers]
        mask = self.mask.new_zeros(rows, self.mask.shape[1])
        logits = self.logits.new_zeros(rows, self.logits.shape[1])
        return CachedBatch(self.model, cache, mask, logits)

    @torch.inference_mode()
    def put_rows(self, rows: Sequence[int], other: "CachedBatch") -> None:
        """Replace these rows by those of a batch that has no more columns: padded on the left."""
        at = torch.as_tensor(rows, device=self.model.device)
        for layer, theirs in zip(self.cache.layers, other.cache.layers, strict=True):
            layer.put_rows(at, theirs)
        self.mask[at] = 0
        self.mask[at, self.mask.shape[1] - other.mask.shape[1] :] = other.mask
        self.logits[at] = other.logits

    def slice_rows(self, start: int, stop: int) -> "CachedBatch":
        """A view of some rows, to extend without copying their keys and values.

        What a slice appends goes into the columns that this batch has reserved, and is overwritten
        by the next slice or step of it: use one slice at a time.
        """
        if not _is_preallocated(self.cache):
            rows = list(range(start, min(stop, len(self.mask))))
            return self.select_rows(rows, extra_columns=0)
        cache = copy.copy(self.cache)
        cache.layers = [layer.slice_rows(start, stop) for layer in self.cache.layers]
        return CachedBatch(self.model, cache, self.mask[start:stop], self.logits[start:stop])

    def select_rows(self, rows: Sequence[int] | torch.Tensor, extra_columns: int) -> "CachedBatch":
        """A copy of these rows, in this order and with repetitions."""
        rows = torch.as_tensor(rows, device=self.model.device)
        cache = copy.copy(self.cache)
        cache.layers = [_select_rows(layer, rows, extra_columns) for layer in self.cache.layers]
        return CachedBatch(self.model, cache, self.mask[rows], self.logits[rows])

    @torch.inference_mode()
    def keep_rows(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, in place; they become rows 0, 1, … `logits` are left stale."""
        kept = torch.as_tensor(rows, device=self.model.device)
        moved = torch.as_tensor(
            [position for position, row in enumerate(rows) if position != row],
            device=self.model.device,
            dtype=torch.long,
        )
        for layer in self.cache.layers:
            if isinstance(layer, PreallocatedLayer):
                layer.keep_rows(kept, moved)
            else:
                layer.batch_select_indices(kept)
        self.mask = self.mask[kept]


@torch.inference_mode()
def prefill(
    model: PreTrainedModel,
    ids: torch.Tensor,
    mask: torch.Tensor | None = None,
    extra_columns: int = 0,
) -> CachedBatch:
    """A new batch from one forward pass over its prompts.

    Args:
        ids: (rows, columns), on any device.
        mask: (rows, columns), 0 for padding; no padding where it is None.
        extra_columns: how many columns to reserve for what will be appended.

    Raises:
        ModelError: the model's cache is not one of keys and values in each layer.
    """
    rows, columns = ids.shape
    prefix = trained_prefix(model)
    # PEFT would set `past_key_values` to a trained prefix in every forward pass: the cache would be
    # lost. Instead it begins with the prefix, and the base model itself is called.
    cache = new_cache(model, extra_columns + columns if prefix else extra_columns)
    for number, layer in enumerate(prefix):
        cache.update(*(states.expand(rows, -1, -1, -1) for states in layer), number)
    before = torch.ones(rows, num_virtual_tokens(model), dtype=torch.long, device=model.device)
    batch = CachedBatch(unwrapped(model), cache, before, logits=torch.empty(rows, 0))
    batch.extend(ids, mask)
    return batch


def trained_prefix(model: PreTrainedModel) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Of each layer the keys and values, (1, heads, columns, head size), before every prompt.

    Empty for a model that was not tuned by a prefix.
    """
    if not num_virtual_tokens(model):
        return []
    return [(layer.keys, layer.values) for layer in model.get_prompt(1).layers]


def num_virtual_tokens(model: PreTrainedModel) -> int:
    """The columns of a trained prefix; 0 for a model that was not tuned by one."""
    if not isinstance(model, PeftModel):
        return 0
    config = model.active_peft_config
    return config.num_virtual_tokens if config.is_prompt_learning else 0


def has_full_attention(model: PreTrainedModel) -> bool:
    """Whether each layer attends to all columns: a sliding window would count padding as well.

    Raises:
        ModelError: the model's cache is not one of keys and values in each layer.
    """
    return _is_preallocated(new_cache(model))


def new_cache(model: PreTrainedModel, extra_columns: int = 0) -> DynamicCache:
    """An empty cache of the model's layers; those with full attention are preallocated.

    Raises:
        ModelError: the model's cache is not one of keys and values in each layer.
    """
    cache = DynamicCache(config=model.config)
    supported = (DynamicLayer, DynamicSlidingWindowLayer)
    if not (
        accepts_argument(model, "past_key_values")
        and all(type(layer) in supported for layer in cache.layers)
    ):
        raise ModelError(
            f"model.name: {type(unwrapped(model)).__name__} does not keep keys and values in each "
            "of its layers (a recurrent or hybrid model, or one whose layers share them), which is "
            "not supported"
        )
    cache.layers = [
        PreallocatedLayer(extra_columns) if type(layer) is DynamicLayer else layer
        for layer in cache.layers
    ]
    return cache


def _is_preallocated(cache: DynamicCache) -> bool:
    layers = cache.layers
    return bool(layers) and all(isinstance(layer, PreallocatedLayer) for layer in layers)


def _select_rows(layer: DynamicLayer, rows: torch.Tensor, extra_columns: int) -> DynamicLayer:
    if isinstance(layer, PreallocatedLayer):
        return layer.select_rows(rows, extra_columns)
    # Selecting rows makes new tensors, so the copied layer shares none with the old one.
    other = copy.copy(layer)
    other.batch_select_indices(rows)
    return other


def _forward(
    model: PreTrainedModel,
    cache: DynamicCache,
    ids: torch.Tensor,
    mask: torch.Tensor,
    positions: torch.Tensor,
    num_logits: int,
) -> torch.Tensor:
    """See `CachedBatch.forward`."""
    with _last_mlp_on_last_columns(model, num_logits, ids.shape[1]):
        return model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=num_logits,
        ).logits


@contextlib.contextmanager
def _last_mlp_on_last_columns(model: PreTrainedModel, count: int, columns: int) -> Iterator[None]:
    """Restrict the last layer's MLP to the last `count` of `columns` columns.

    Its output in the others is unused: keys and values are computed before it, and no other logits
    are kept. In a model of four layers this saves a sixth of a prefill's matrix products.
    """
    layers = getattr(model.get_decoder(), "layers", None)
    mlp = getattr(layers[-1], "mlp", None) if layers else None
    # A mixture of experts has no such projection of its own, and may return more than its output.
    if mlp is None or not hasattr(mlp, "down_proj"):
        yield
        return

    def truncate(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return inputs[0][:, -count:]

    def pad(_: nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        return functional.pad(out, (0, 0, columns - out.shape[1], 0))

    hooks = [mlp.register_forward_pre_hook(truncate), mlp.register_forward_hook(pad)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
