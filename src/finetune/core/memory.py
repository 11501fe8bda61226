"""How much memory there is to be had: of the machine, of its cgroup, of the process, of the GPU."""

import contextlib
import ctypes
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

GB = 10**9
# A cgroup without a limit says "max" (v2) or a number near 2**63 (v1).
UNLIMITED = 2**60


def available(limit_gb: float | None = None) -> int:
    """Bytes of main memory that this process can still take before something kills it.

    The least of what the machine has free, what the cgroups (v1 or v2) and the limits of the
    process (RLIMIT_AS, RLIMIT_DATA) leave, and what is left of `limit_gb` (`run.memory_gb`).
    """
    process = psutil.Process()
    used = process.memory_info()
    found = [psutil.virtual_memory().available, *cgroup_headroom()]
    for kind, held in ((resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data")):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            found.append(soft - getattr(used, held, used.vms))
    if limit_gb is not None:
        found.append(int(limit_gb * GB) - used.rss)
    return max(0, min(found))


def available_on(device: str, limit_gb: float | None = None) -> int:
    """Bytes that tensors on a device can still take: `available` on the CPU, else free GPU memory.

    What torch holds of the GPU without using it counts as free.
    """
    if device == "cpu":
        return available(limit_gb)
    import torch

    held, used = torch.cuda.memory_reserved(), torch.cuda.memory_allocated()
    free = torch.cuda.mem_get_info()[0] + held - used
    return free if limit_gb is None else max(0, min(free, int(limit_gb * GB) - used))


def cgroup_headroom(
    proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """Bytes that each cgroup above this process still allows; nothing where there is no limit.

    Page cache that the kernel can drop at once counts as free.
    """
    if not proc.is_file():
        return
    for line in proc.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # v1 has a hierarchy for memory of its own, v2 one for all.
        top = root / "memory" if controllers else root
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        folder = top / path.lstrip("/")
        # In a container the path may be that of the host: then the top is the container's own.
        for group in (folder, *folder.parents) if folder.is_dir() else (top,):
            yield from _headroom(group, *names)
            if group == top:
                break


def _headroom(group: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    try:
        most = (group / limit).read_text(encoding="utf-8").strip()
        used = int((group / usage).read_text(encoding="utf-8"))
        stat = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    if most != "max" and int(most) < UNLIMITED:
        droppable = dict(line.split() for line in stat).get(cache, "0")
        yield int(most) - used + int(droppable)


def trim_heap() -> None:
    """Give free pages of the heap back to the system, those in its midst too (glibc)."""
    trim = getattr(ctypes.CDLL(None) if os.name == "posix" else None, "malloc_trim", None)
    if trim:
        trim(0)


def oom_kills(
    vmstat: Path = Path("/proc/vmstat"), events: Path = Path("/sys/fs/cgroup/memory.events")
) -> int | None:
    """How many processes the kernel has killed for want of memory so far; None if it does not say.

    Counted by the machine since it started, and by the cgroup of a container.
    """
    counts = []
    for file in (vmstat, events):
        with contextlib.suppress(OSError):
            lines = file.read_text(encoding="utf-8").splitlines()
            counts += [int(line.split()[1]) for line in lines if line.split()[0] == "oom_kill"]
    return max(counts, default=None)
