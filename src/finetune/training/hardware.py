"""What a run was on, and what it took there: for `train.json`, in no score."""

import platform
import resource
from pathlib import Path

import torch


def device_name() -> str:
    """The GPU's name, or that of the processor with the threads in use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    # Python's own `platform.processor` is empty on Linux.
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    return f"CPU ({name}), {torch.get_num_threads()} threads"


def peak_memory() -> int:
    """Bytes: of the GPU's memory where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
