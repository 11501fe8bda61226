"""What a model has read, as keys and values to go on from: a beginning is read once."""

import contextlib
import copy
import inspect
import itertools
from collections.abc import Iterator, Sequence

import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from finetune.core.errors import ModelError
from finetune.inference.batches import pad_left, positions

# Columns by which the room for keys and values grows, where no room was asked for.
GROWTH = 32


class RoomyLayer(DynamicLayer):
    """Keys and values (rows, heads, columns, size) in a larger tensor, with columns to fill.

    transformers' own layer copies all that was read for each token that is written.
    """

    def __init__(self, room: int = 0) -> None:
        super().__init__()
        self.room = room
        self.held: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add columns; returns all."""
        if not self.is_initialized:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys, self.values = key_states[..., :0, :], value_states[..., :0, :]
            self.is_initialized = True
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if self.held is None or self.held[0].shape[-2] < end:
            columns = end + (self.room if self.held is None else GROWTH)
            self.held = tuple(_widened(each, columns) for each in (self.keys, self.values))
        for held, new in zip(self.held, (key_states, value_states), strict=True):
            held[..., start:end, :] = new
        self.keys, self.values = (held[..., :end, :] for held in self.held)
        return self.keys, self.values

    def picked(self, rows: torch.Tensor, room: int) -> "RoomyLayer":
        """A copy of some rows, in this order, with room for so many columns more."""
        layer = RoomyLayer(room)
        columns = self.keys.shape[-2]
        layer.dtype, layer.device, layer.is_initialized = self.dtype, self.device, True
        layer.held = tuple(
            _widened(each, columns + room, rows) for each in (self.keys, self.values)
        )
        layer.keys, layer.values = (held[..., :columns, :] for held in layer.held)
        return layer

    def part(self, start: int, stop: int) -> "RoomyLayer":
        """Some rows over the same tensor: columns that are added use this one's room."""
        layer = copy.copy(self)
        layer.held = tuple(held[start:stop] for held in self.held)
        layer.keys, layer.values = (each[start:stop] for each in (self.keys, self.values))
        return layer

    def keep(self, rows: torch.Tensor, moved: torch.Tensor) -> None:
        """Keep these rows only, in place; those at the places `moved` come from elsewhere."""
        columns = self.keys.shape[-2]
        for held in self.held:
            held[moved, :, :columns] = held[rows[moved], :, :columns]
        self.held = tuple(held[: len(rows)] for held in self.held)
        self.keys, self.values = (held[..., :columns, :] for held in self.held)


def _widened(states: torch.Tensor, columns: int, rows: torch.Tensor | None = None) -> torch.Tensor:
    """The states of all rows, or of some, in a tensor of so many columns."""
    count, heads, read, size = states.shape
    wide = states.new_empty(count if rows is None else len(rows), heads, columns, size)
    wide[..., :read, :] = states if rows is None else states[rows]
    return wide


class Reading:
    """A batch of texts that a model has read, and can read on in.

    mask: (rows, columns), 0 where a column is padding; it may stand anywhere.
    logits: (rows, vocabulary), of the token that comes next.
    """

    def __init__(self, model: PreTrainedModel, room: int) -> None:
        """Nothing read yet; `room` is how many columns will follow what is read first.

        Raises:
            ModelError: the model remembers what it has read by something else than keys and values.
        """
        self.model = model
        self.cache = DynamicCache(config=model.config)
        _check_rows_can_be_picked(model, self.cache)
        self.cache.layers = [
            RoomyLayer(room) if type(layer) is DynamicLayer else layer
            for layer in self.cache.layers
        ]
        self.mask: torch.Tensor | None = None
        self.logits: torch.Tensor | None = None

    @property
    def is_plain(self) -> bool:
        """Every layer sees all columns. A sliding window would count padding between texts."""
        layers = self.cache.layers
        return bool(layers) and all(isinstance(layer, RoomyLayer) for layer in layers)

    @torch.inference_mode()
    def read(self, ids: torch.Tensor, mask: torch.Tensor | None = None, logits: int = 1) -> None:
        """Read columns more, (rows, columns) on any device; the last so many logits are kept.

        With `logits` above 1, `self.logits` is (rows, logits, vocabulary).
        """
        device = self.model.device
        ids = ids.to(device)
        mask = torch.ones_like(ids) if mask is None else mask.to(device)
        self.mask = mask if self.mask is None else torch.cat([self.mask, mask], dim=1)
        out = self.forward(ids, self.mask, positions(self.mask)[:, -ids.shape[1] :], logits)
        self.logits = out[:, -1] if logits == 1 else out

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, position_ids: torch.Tensor, logits: int
    ) -> torch.Tensor:
        """One forward pass after what the cache holds: the last so many columns' logits.

        The mask is one of all columns, or (rows, 1, new columns, all columns).
        """
        with _last_mlp_on(self.model, logits, ids.shape[1]):
            return self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=position_ids,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=logits,
            ).logits

    def part(self, start: int, stop: int) -> "Reading":
        """Some rows over the same keys and values, to read on from without copying them.

        What a part reads is written into the room of this reading, which stays as it was and will
        overwrite it: one part at a time.
        """
        if not self.is_plain:
            return self.picked(list(range(start, min(stop, len(self.mask)))), room=0)
        other = copy.copy(self)
        other.cache = copy.copy(self.cache)
        other.cache.layers = [layer.part(start, stop) for layer in self.cache.layers]
        other.mask = self.mask[start:stop]
        other.logits = None if self.logits is None else self.logits[start:stop]
        return other

    def picked(self, rows: Sequence[int] | torch.Tensor, room: int) -> "Reading":
        """A copy of some rows, in this order and as often as they stand in it."""
        rows = torch.as_tensor(rows, device=self.model.device)
        other = copy.copy(self)
        other.cache = copy.copy(self.cache)
        other.cache.layers = [_picked(layer, rows, room) for layer in self.cache.layers]
        other.mask = self.mask[rows]
        other.logits = None if self.logits is None else self.logits[rows]
        return other

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all rows but these, which become rows 0, 1, …"""
        chosen = torch.as_tensor(rows, device=self.model.device)
        moved = torch.as_tensor(
            [place for place, row in enumerate(rows) if place != row],
            device=self.model.device,
            dtype=torch.long,
        )
        for layer in self.cache.layers:
            if isinstance(layer, RoomyLayer):
                layer.keep(chosen, moved)
            else:
                layer.batch_select_indices(chosen)
        self.mask = self.mask[chosen]


def _picked(layer: DynamicLayer, rows: torch.Tensor, room: int) -> DynamicLayer:
    if isinstance(layer, RoomyLayer):
        return layer.picked(rows, room)
    # Selecting rows makes new tensors, so the copied layer shares none with the old one.
    other = copy.copy(layer)
    other.batch_select_indices(rows)
    return other


def _check_rows_can_be_picked(model: PreTrainedModel, cache: DynamicCache) -> None:
    known = (DynamicLayer, DynamicSlidingWindowLayer)
    if not (
        takes(model, "past_key_values") and all(type(layer) in known for layer in cache.layers)
    ):
        raise ModelError(
            f"model.name: {type(whole(model)).__name__} does not keep keys and values in each of "
            "its layers (a recurrent or hybrid model, or one whose layers share them), which is "
            "not supported"
        )


def takes(model: PreTrainedModel, argument: str) -> bool:
    """Whether the model's forward pass has such an argument."""
    return argument in inspect.signature(whole(model).forward).parameters


def whole(model: PreTrainedModel) -> PreTrainedModel:
    """The model itself, where it stands in an adapter's wrapper."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


@contextlib.contextmanager
def _last_mlp_on(model: PreTrainedModel, count: int, columns: int) -> Iterator[None]:
    """Let the last layer's MLP work on the last `count` of so many columns alone.

    Nothing reads the others after it: keys and values come from before it, and no other logits are
    kept. In a model of four layers that is a sixth of a prompt's matrix products.
    """
    layers = getattr(model.get_decoder(), "layers", None)
    mlp = getattr(layers[-1], "mlp", None) if layers else None
    # A mixture of experts has no such projection of its own, and may return more than its output.
    if not hasattr(mlp, "down_proj"):
        yield
        return

    def last(_: nn.Module, given: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return given[0][:, -count:]

    def of_all(_: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        return functional.pad(out, (0, 0, columns - out.shape[1], 0))

    hooks = [mlp.register_forward_pre_hook(last), mlp.register_forward_hook(of_all)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _common(prompts: Sequence[list[int]]) -> int:
    """How many tokens all prompts begin with alike: as many as the first and last in order do."""
    first, last = min(prompts), max(prompts)
    same = (one == other for one, other in zip(first, last, strict=False))
    return sum(itertools.takewhile(bool, same))


class Reader:
    """Reads batches of prompts; what all prompts begin with is read once, not once a row."""

    def __init__(self, model: PreTrainedModel, prompts: Sequence[list[int]], pad_id: int) -> None:
        """Read the common beginning of all prompts: instruction, opening, few-shot examples."""
        self.model, self.prompts, self.pad_id = model, prompts, pad_id
        # Each prompt keeps one token at least, whose logits are asked for.
        common = min(_common(prompts), min(map(len, prompts)) - 1)
        self.opening = Reading(model, room=0)
        if len(prompts) == 1 or not self.opening.is_plain or not takes(model, "position_ids"):
            common = 0
        self.common = common
        if common:
            self.opening.read(torch.tensor([prompts[0][:common]]))

    @property
    def lengths(self) -> list[int]:
        """What is left to read of each prompt."""
        return [len(prompt) - self.common for prompt in self.prompts]

    def read(self, chosen: Sequence[int], room: int) -> Reading:
        """Those prompts, with room for so many columns more."""
        rests = [self.prompts[i][self.common :] for i in chosen]
        ids, mask = pad_left(rests, self.pad_id)
        if self.common:
            reading = self.opening.picked([0] * len(chosen), ids.shape[1] + room)
        else:
            reading = Reading(self.model, room)
        reading.read(ids, mask)
        return reading
