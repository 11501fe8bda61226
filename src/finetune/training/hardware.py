"""The hardware of a run and its peak memory, for `train.json`."""

import platform
import resource
import sys
from pathlib import Path

import torch


def device_name() -> str:
    """The GPU's name, or the CPU's with the number of threads in use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    # Python's own `platform.processor` is empty on Linux.
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    return f"CPU ({name}), {torch.get_num_threads()} threads"


def peak_memory() -> int:
    """Peak memory of this process in bytes: on the GPU where there is one, else in RAM."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resident_peak()


def resident_peak(status: Path = Path("/proc/self/status")) -> int:
    """Most bytes of RAM that this process has held at once.

    On Linux `ru_maxrss` begins at the peak of the process that started this one, whatever `exec`
    has replaced: `VmHWM` is of this program alone.
    """
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    # In kilobytes, and on macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
