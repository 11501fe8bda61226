"""The processes ("ranks") of one stage, and what they tell each other.

`finetune.core.launch` starts them. The first, rank 0, is the main one: it alone holds locks, reads
the clock, writes files and talks to the user; the others compute. Without more than one, all here
does nothing.

In each rank transformers and accelerate see a single process, so that they neither wrap the model
nor shard its data, and `CUDA_VISIBLE_DEVICES` is a single GPU.
"""

import os
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from finetune.core.errors import is_out_of_memory, squeezed

if TYPE_CHECKING:
    import torch

Value = TypeVar("Value")

# Environment variables of a rank: its number, how many there are, the GPUs of all of them, and the
# folder in which it leaves what its parent is to tell the user.
RANK, COUNT = "FINETUNE_RANK", "FINETUNE_PROCESSES"
GPUS, REPORTS = "FINETUNE_GPUS", "FINETUNE_REPORTS"
# How a rank ends that cannot reach another: that one's end is what the user is told.
LOST = 75
# A rank waits for another's lock or evaluation; that another has died is seen by their parent.
TIMEOUT = timedelta(days=7)
# Numbers in a buffer of gradients, 128 MiB of float32.
BUFFER = 2**25


def count() -> int:
    """How many processes this stage runs in."""
    return int(os.environ.get(COUNT, "1"))


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get(RANK, "0"))


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def report(message: str) -> None:
    """Leave what the parent is to tell the user, in a rank."""
    file = Path(os.environ[REPORTS]) / f"{rank()}"
    file.write_text(message, encoding="utf-8")


def share(lengths: Sequence[int]) -> list[int]:
    """The indices of the texts that this rank computes, in ascending order: all, where it is alone.

    The longest are dealt out in turn, so that each rank gets about as many tokens.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    return sorted(order[rank() :: count()])


def barrier() -> None:
    """Wait until all ranks are here."""
    if count() > 1:
        gathered(None)


def gathered(value: Value) -> list[Value]:
    """The values of all ranks, in their order."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    _connected(lambda dist: dist.all_gather_object(values, value))
    return values


def from_main(make: Callable[[], Value]) -> Value:
    """What `make` gives on rank 0, which alone calls it."""
    if count() == 1:
        return make()
    values: list[Any] = [make() if is_main() else None]
    _connected(lambda dist: dist.broadcast_object_list(values, src=0))
    made: Value = values[0]
    return made


def copy_from_main(tensors: "Sequence[torch.Tensor]") -> None:
    """Set tensors in place to those of rank 0."""
    for tensor in tensors if count() > 1 else ():
        _broadcast(tensor.detach())


def sum_gradients(parameters: "Sequence[torch.nn.Parameter]", loss: "torch.Tensor") -> None:
    """Set gradients, and a scalar loss, in place to their sums over all ranks.

    A rank that had no rows has no gradients: they count as zero. What no rank has a gradient of
    stays without, so that the optimizer passes it over as it does in a single process.
    """
    if count() == 1:
        return
    import torch

    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    has_gradient = [float(parameter.grad is not None) for parameter in parameters]
    loss_and_flags = torch.tensor(
        [float(loss), *has_gradient], dtype=torch.float32, device=loss.device
    )
    _sum(loss_and_flags)
    loss.copy_(loss_and_flags[0])
    flags = loss_and_flags[1:].tolist()
    ours = [p for p, flag in zip(parameters, flags, strict=True) if flag > 0]
    for some in _buffers(ours):
        flat = torch.cat([_gradient(parameter).reshape(-1).float() for parameter in some])
        _sum(flat)
        for parameter, summed in zip(some, flat.split([p.numel() for p in some]), strict=True):
            gradient = _gradient(parameter)
            gradient.copy_(summed.view_as(gradient))
            parameter.grad = gradient


def disconnect() -> None:
    """End the connection to the other ranks, if there is one."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _buffers(parameters: "Sequence[torch.nn.Parameter]") -> "list[list[torch.nn.Parameter]]":
    """Parameters in groups of at most `BUFFER` numbers each, or of one."""
    groups: list[list[torch.nn.Parameter]] = []
    size = BUFFER
    for parameter in parameters:
        if size + parameter.numel() > BUFFER:
            groups.append([])
            size = 0
        groups[-1].append(parameter)
        size += parameter.numel()
    return groups


def _gradient(parameter: "torch.nn.Parameter") -> "torch.Tensor":
    import torch

    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _broadcast(tensor: "torch.Tensor") -> None:
    _connected(lambda dist: dist.broadcast(tensor, src=0))


def _sum(tensor: "torch.Tensor") -> None:
    _connected(lambda dist: dist.all_reduce(tensor))


def _connected(communicate: Callable[[Any], Any]) -> None:
    """Communicate with the other ranks by `torch.distributed`; connects first if need be.

    A rank that cannot reach another ends, and prints nothing: its parent does, where all are so.
    """
    import torch
    from torch import distributed

    try:
        if not distributed.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            distributed.init_process_group(
                backend, rank=rank(), world_size=count(), timeout=TIMEOUT
            )
        communicate(distributed)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        report(squeezed(error))
        # The launcher is about to send it: cleaning up must not be interrupted.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(LOST) from error
