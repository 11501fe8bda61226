import resource
from types import SimpleNamespace

import pytest

from finetune.core import memory


@pytest.fixture
def machine(monkeypatch):
    """A machine with 8 GB free, of which this process has 1; no cgroup, no limit."""

    class Process:
        def memory_info(self):
            return SimpleNamespace(rss=10**9, vms=3 * 10**9, data=2 * 10**9)

    class Free:
        available = 8 * 10**9

    monkeypatch.setattr(memory.psutil, "Process", Process)
    monkeypatch.setattr(memory.psutil, "virtual_memory", Free)
    monkeypatch.setattr(memory, "cgroup_headroom", lambda: iter(()))
    limits = dict.fromkeys((resource.RLIMIT_AS, resource.RLIMIT_DATA), resource.RLIM_INFINITY)
    monkeypatch.setattr(memory.resource, "getrlimit", lambda kind: (limits[kind], 0))
    return limits


def test_the_least_of_what_machine_cgroup_and_limits_leave_counts(machine, monkeypatch):
    assert memory.available() == 8 * 10**9
    machine[resource.RLIMIT_AS] = 10 * 10**9
    assert memory.available() == 7 * 10**9  # of 10, 3 are mapped
    machine[resource.RLIMIT_DATA] = 6 * 10**9
    assert memory.available() == 4 * 10**9  # of 6, 2 are data
    monkeypatch.setattr(memory, "cgroup_headroom", lambda: iter([3 * 10**9, 9 * 10**9]))
    assert memory.available() == 3 * 10**9
    assert memory.available(limit_gb=1.5) == 5 * 10**8  # of 1.5, 1 is held
    assert memory.available(limit_gb=0.5) == 0


def test_processes_of_one_stage_share_the_machine_but_not_their_own_limits(machine, monkeypatch):
    monkeypatch.setenv("FINETUNE_PROCESSES", "2")
    assert memory.available() == 4 * 10**9
    assert memory.available(limit_gb=5) == 15 * 10**8  # of 2.5 for each, 1 is held
    machine[resource.RLIMIT_DATA] = 5 * 10**9
    assert memory.available() == 3 * 10**9


def group(folder, limit, usage, limit_name, usage_name, stat):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit_name).write_text(f"{limit}\n")
    (folder / usage_name).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(stat)


def test_a_cgroup_of_version_2_and_those_above_it_count(tmp_path):
    proc = tmp_path / "cgroup"
    proc.write_text("0::/user/job\n")
    names = ("memory.max", "memory.current", "anon 5\ninactive_file 100\n")
    group(tmp_path / "root/user/job", 1000, 400, *names)
    group(tmp_path / "root/user", "max", 10**9, *names)
    assert list(memory.cgroup_headroom(proc, tmp_path / "root")) == [700]
    group(tmp_path / "root/user", 800, 500, *names)
    assert list(memory.cgroup_headroom(proc, tmp_path / "root")) == [700, 400]


def test_a_cgroup_of_version_1_counts_and_its_no_limit_does_not(tmp_path):
    proc = tmp_path / "cgroup"
    proc.write_text("5:cpu,cpuacct:/job\n4:memory:/job\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file 7\n")
    group(tmp_path / "root/memory/job", 1000, 400, *names)
    group(tmp_path / "root/memory", 2**63 - 4096, 10**9, *names)
    assert list(memory.cgroup_headroom(proc, tmp_path / "root")) == [607]


def test_in_a_container_the_top_is_its_own(tmp_path):
    proc = tmp_path / "cgroup"
    proc.write_text("0::/a/path/of/the/host\n")
    group(tmp_path / "root", 1000, 400, "memory.max", "memory.current", "inactive_file 0\n")
    assert list(memory.cgroup_headroom(proc, tmp_path / "root")) == [600]


def test_without_cgroups_there_is_none(tmp_path):
    assert list(memory.cgroup_headroom(tmp_path / "none", tmp_path)) == []


def test_the_process_with_the_least_memory_decides(monkeypatch):
    monkeypatch.setattr(memory, "available_on", lambda device, limit: 5 * 10**9)
    assert memory.least_available_on("cpu", None) == 5 * 10**9
    monkeypatch.setattr(memory.processes, "gathered", lambda ours: [ours, 3 * 10**9, 4 * 10**9])
    assert memory.least_available_on("cpu", None) == 3 * 10**9
