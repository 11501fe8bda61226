"""Available memory: of the machine, its cgroups, the process and the GPU."""

import contextlib
import ctypes
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

from finetune.core import processes

GB = 10**9
# A cgroup without a limit reports "max" (v2) or a number near 2**63 (v1).
UNLIMITED = 2**60


def available(limit_gb: float | None = None) -> int:
    """Bytes of main memory that this process can still allocate.

    The minimum of the machine's free memory, the headroom of the cgroups (v1 or v2) and of the
    process limits (RLIMIT_AS, RLIMIT_DATA), and the rest of `limit_gb` (`run.memory_gb`). What is
    shared with the other processes of a stage, as all but the process limits, is split evenly.
    """
    process, sharing = psutil.Process(), processes.count()
    used = process.memory_info()
    shared = [psutil.virtual_memory().available, *cgroup_headroom()]
    headrooms = [headroom // sharing for headroom in shared]
    for kind, held in ((resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data")):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            headrooms.append(soft - getattr(used, held, used.vms))
    if limit_gb is not None:
        headrooms.append(int(limit_gb * GB) // sharing - used.rss)
    return max(0, min(headrooms))


def available_on(device: str, limit_gb: float | None = None) -> int:
    """Bytes that tensors on a device can still take: `available` on the CPU, else free GPU memory.

    GPU memory that torch has reserved but not allocated counts as free.
    """
    if device == "cpu":
        return available(limit_gb)
    import torch

    held, used = torch.cuda.memory_reserved(), torch.cuda.memory_allocated()
    free = torch.cuda.mem_get_info()[0] + held - used
    return free if limit_gb is None else max(0, min(free, int(limit_gb * GB) - used))


def least_available_on(device: str, limit_gb: float | None = None) -> int:
    """The least of `available_on` over the processes of a stage, all of which must call this.

    They share one budget, so that results do not depend on which process has which rows.
    """
    return min(processes.gathered(available_on(device, limit_gb)))


def cgroup_headroom(
    proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """The headroom in bytes of each cgroup of this process that has a limit.

    Page cache that the kernel can drop at once counts as free.
    """
    if not proc.is_file():
        return
    for line in proc.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # v1 has a separate hierarchy for memory, v2 a single one.
        top = root / "memory" if controllers else root
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        folder = top / path.lstrip("/")
        # In a container the path may be the host's: then the root is the container's own cgroup.
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
    """Return all free pages of the heap to the system (glibc)."""
    trim = getattr(ctypes.CDLL(None) if os.name == "posix" else None, "malloc_trim", None)
    if trim:
        trim(0)


def oom_kills(
    vmstat: Path = Path("/proc/vmstat"), events: Path = Path("/sys/fs/cgroup/memory.events")
) -> int | None:
    """The number of out-of-memory kills by the kernel so far; None if it keeps no count.

    Counted since the machine started, or for the cgroup of a container.
    """
    counts = []
    for file in (vmstat, events):
        with contextlib.suppress(OSError):
            lines = file.read_text(encoding="utf-8").splitlines()
            counts += [int(line.split()[1]) for line in lines if line.split()[0] == "oom_kill"]
    return max(counts, default=None)
