"""The machine that a run is planned for: its memory and its matrix multiplication throughput."""

import itertools
import re
import time
from dataclasses import dataclass, replace

import psutil

from finetune.core.errors import UserError
from finetune.core.memory import available

# Memory in GB and dense peak TFLOP/s in 16 bits, from the manufacturers' data sheets; the driver
# takes a part of the memory. The T4 and the V100 have no bfloat16: theirs is of float16.
GPUS = {
    "t4": ("Tesla T4", 16, 65),
    "v100": ("Tesla V100", 16, 125),
    "a10": ("A10", 24, 125),
    "l4": ("L4", 24, 121),
    "rtx4090": ("GeForce RTX 4090", 24, 165),
    "a100-40": ("A100 40 GB", 40, 312),
    "l40s": ("L40S", 48, 362),
    "a100": ("A100 80 GB", 80, 312),
    "h100": ("H100", 80, 989),
    "h200": ("H200", 141, 989),
}
UNKNOWN = 100  # TFLOP/s assumed for a GPU that is not listed
# Assumed, not measured: the fraction of the peak that a fine-tuning run reaches, and the memory of
# driver and libraries on a GPU.
UTILIZATION = {"cuda": 0.3, "cpu": 0.6}
CONTEXT_GB = 1.0
# Assumed, not measured: of the speed of several GPUs, what is left when they have waited for each
# other, and summed gradients.
PARALLEL_EFFICIENCY = 0.9
# Main memory of a process that has imported torch, transformers and PEFT, measured on Linux.
LIBRARIES_GB = 0.7


@dataclass(frozen=True)
class Machine:
    """Bytes free for tensors, the FLOP/s that training reaches, and the assumption behind them."""

    name: str
    device: str
    free: int
    flops: float
    assumption: str

    def split(self, processes: int) -> "Machine":
        """The machine of so many processes (`run.processes`): memory of each, speed of all.

        On a CPU they share both; otherwise each has such a GPU of its own.
        """
        if processes == 1:
            return self
        if self.device == "cpu":
            shared = f"{self.assumption}, which the processes share"
            name = f"{self.name}, in {processes} processes"
            return replace(self, name=name, free=self.free // processes, assumption=shared)
        efficiency = f"{100 * PARALLEL_EFFICIENCY:.0f} %"
        return replace(
            self,
            name=f"{processes} × {self.name}, a process on each",
            flops=processes * PARALLEL_EFFICIENCY * self.flops,
            assumption=f"{self.assumption} for each of {processes} GPUs, and of that {efficiency}, "
            "as they wait for each other (not measured)",
        )


def of(gpu: str | None, limit_gb: float | None) -> Machine:
    """The machine with a GPU of `GPUS`, or this machine: its GPU if it has one, else its CPU.

    Raises:
        UserError: the name is not one of `GPUS`.
    """
    if gpu is not None:
        gpu = gpu.lower()
        if gpu not in GPUS:
            raise UserError(f"--gpu: {gpu!r} is not known; known: {', '.join(GPUS)}")
        name, size, peak = GPUS[gpu]
        return _gpu(name, min(size, limit_gb or size) - CONTEXT_GB, peak)
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        size = torch.cuda.mem_get_info()[0] / 1e9
        return _gpu(name, min(size, limit_gb or size), _peak(name))
    rate = _matmul_flops()
    return Machine(
        f"this machine ({torch.get_num_threads()} threads)",
        "cpu",
        available(limit_gb) + psutil.Process().memory_info().rss,
        UTILIZATION["cpu"] * rate,
        f"{100 * UTILIZATION['cpu']:.0f} % of the {rate / 1e9:.0f} GFLOP/s measured just now",
    )


def _peak(name: str) -> float | None:
    """The peak TFLOP/s of a GPU by its device name; None if it is not listed."""
    words = re.split(r"[ -]", name.lower())
    words += [one + other for one, other in itertools.pairwise(words)]  # RTX 4090
    return next((peak for key, (_, _, peak) in GPUS.items() if key.split("-")[0] in words), None)


def _gpu(name: str, free_gb: float, peak: float | None) -> Machine:
    utilization = UTILIZATION["cuda"]
    rate = peak or UNKNOWN
    of_peak = f"a peak of {rate} TFLOP/s" if peak else f"{rate} TFLOP/s, as {name} is not known"
    assumption = f"{100 * utilization:.0f} % of {of_peak}"
    return Machine(name, "cuda", round(free_gb * 1e9), utilization * rate * 1e12, assumption)


def _matmul_flops(size: int = 1024, seconds: float = 0.5) -> float:
    """The FLOP/s of float32 products of `size` × `size` matrices on this CPU, measured."""
    import torch

    matrix = torch.rand(size, size)
    matrix @ matrix  # warm-up
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        matrix @ matrix
        count += 1
    return 2 * size**3 * count / (time.perf_counter() - started)
