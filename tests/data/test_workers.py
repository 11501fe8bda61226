import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from finetune.core.errors import UserError
from finetune.data import workers

ROOT = Path(__file__).parents[2]


# What another process can import too: it evaluates a batch.
WORK = eval


def batch(number: int) -> str:
    """Python for twice a number, and the process that computes it."""
    return f"(2 * {number}, __import__('os').getpid())"


def test_results_come_in_order_from_processes_that_start_when_there_is_enough_to_do(monkeypatch):
    monkeypatch.setattr(workers, "FEW", 4)
    taken = []

    def numbers(count: int):
        for number in range(count):
            taken.append(number)
            yield batch(number)

    with workers.opened(2) as mapped:
        few = list(mapped(WORK, numbers(3)))
        assert few == [(2 * n, os.getpid()) for n in range(3)]
        taken.clear()
        results = mapped(WORK, numbers(100))
        assert next(results)[0] == 0
        assert len(taken) < 20  # they are made as they are needed
        rest = list(results)
        assert [value for value, _ in rest] == [2 * n for n in range(1, 100)]
        assert os.getpid() not in {process for _, process in rest}
        # Once they are there, they do what little there is.
        assert os.getpid() not in {process for _, process in mapped(WORK, [batch(1)])}
        with pytest.raises(ZeroDivisionError):
            list(mapped(WORK, ["1 / 0"]))
        with pytest.raises(UserError, match=r"was killed; .* run\.workers lower"):
            list(mapped(WORK, ["__import__('os').kill(__import__('os').getpid(), 9)"]))


def test_one_process_is_this_one(monkeypatch):
    monkeypatch.setattr(workers, "FEW", 2)
    with workers.opened(1) as mapped:
        assert {process for _, process in mapped(WORK, map(batch, range(10)))} == {os.getpid()}


def test_ray_is_asked_for_only_where_it_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(workers, "FEW", 2)
    with workers.opened(2, "ray") as mapped:
        assert list(mapped(abs, [-1])) == [1]  # too little to do for others
        with pytest.raises(UserError, match=r"ray is not installed; .*requirements-ray\.txt"):
            list(mapped(abs, [-1, -2, -3]))


@pytest.mark.skipif(not find_spec("ray"), reason="needs ray (requirements-ray.txt)")
def test_ray_gives_results_in_order_and_the_errors_of_the_work(monkeypatch):
    monkeypatch.setattr(workers, "FEW", 2)
    with workers.opened(2, "ray") as mapped:
        results = list(mapped(WORK, map(batch, range(30))))
        assert [value for value, _ in results] == [2 * n for n in range(30)]
        assert os.getpid() not in {process for _, process in results}
        with pytest.raises(ZeroDivisionError):
            list(mapped(WORK, ["1 / 0"]))
        with pytest.raises(UserError, match=r"was killed; .* run\.workers lower"):
            list(mapped(WORK, ["__import__('os').kill(__import__('os').getpid(), 9)"]))


def test_auto_is_one_for_each_core_and_not_more_than_are_kept_busy(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)), raising=False)
    assert workers.count("auto") == 5
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(200)), raising=False)
    assert workers.count("auto") == workers.MOST
    assert workers.count(3) == 3


SLEEPER = """
import time
from finetune.data import workers
workers.FEW = 1
if __name__ == "__main__":
    with workers.opened(2) as mapped:
        next(mapped(time.sleep, [0, 0, 100, 100]))
        print("started", flush=True)
        time.sleep(100)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_the_one_that_started_them(tmp_path, number):
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"started\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.send_signal(number)
        if number == signal.SIGINT:  # as the first process does when its main thread ends
            time.sleep(0.2)
            process.kill()
    assert psutil.wait_procs(children, timeout=10)[1] == []
