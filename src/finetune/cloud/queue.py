"""The experiments of a sweep on one box, a worker of DVC's queue on each of its GPUs.

    python -m finetune.cloud.queue NAME -S 'lora.r=8,16'

Prints the name of each that is to be pushed, as soon as it has run, for `cloud/run.sh` to push it;
exits with 1 if one failed. Workers that are started together race for their tasks and leave some
undone (dvc#10673, dvc#10562): each is started when the one before it is at work. They outlive this
process: given again, it waits for what they still do.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.cloud import sweeps
from finetune.cloud.refs import own_ref
from finetune.commands import common
from finetune.core.errors import UserError, one_line, squeezed
from finetune.core.git import git
from finetune.doctor import queue as doctor_queue
from finetune.doctor.finding import NotFixed

POLL_SECONDS = 10.0
START_SECONDS = 60.0
# A task that is being taken from the queue is for a moment in none of DVC's lists.
LOST_POLLS = 3


def run(root: Path, experiments: Mapping[str, Sequence[str]], gpus: Sequence[str]) -> int:
    """Run what is neither pushed nor run, and print what is to be pushed; 1 if one failed.

    gpus: a value of CUDA_VISIBLE_DEVICES for each worker; an empty one leaves it as it is.
    """
    queued = []
    states = _states(root)
    for name, overrides in experiments.items():
        ref = own_ref(root, name)
        # `finetune push` puts it there last: so both remotes have it.
        if git(root, "ls-remote", "origin", ref):
            _say(f"{name} has arrived already: not run again")
        elif git(root, "for-each-ref", ref):
            print(name, flush=True)
        elif states.get(name) in ("Queued", "Running"):
            _say(f"{name} is in the queue already")
            queued.append(name)
        else:
            if name in states:
                # One of an earlier attempt has the same name, and would be taken for this one.
                _dvc(root, "queue", "remove", name)
            options = [word for override in overrides for word in ("-S", override)]
            _dvc(root, "exp", "run", "--queue", "--name", name, *options)
            queued.append(name)
    if not queued:
        return 0
    start_workers(root, gpus[: len(queued)])
    failed = [name for name, is_well in _ended(root, queued) if not is_well]
    for name in failed:
        _say(f"{name} failed: `dvc queue logs {name}` shows how")
    return int(bool(failed))


def start_workers(root: Path, gpus: Sequence[str]) -> None:
    """Start a worker on each GPU, each when the one before it is there."""
    for number, gpu in enumerate(gpus, 1):
        environment = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        # Of so many, those that do not run yet: one.
        _dvc(root, "queue", "start", "--jobs", str(number), **environment)
        deadline = time.monotonic() + START_SECONDS
        while _workers(root) < number and time.monotonic() < deadline:
            time.sleep(1)


def _ended(root: Path, names: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each experiment as it ends, and whether it ended well, in which case its name is printed.

    Where no worker is left and some still wait, as when a worker has died, one is started again;
    what a dead worker was at has failed.
    """
    waiting = set(names)
    lost: Counter[str] = Counter()  # for how many polls in a row
    while waiting:
        time.sleep(POLL_SECONDS)
        states, num_workers = _states(root), _workers(root)
        for name in sorted(waiting):
            state = states.get(name)
            lost[name] = 0 if state else lost[name] + 1
            if state not in ("Success", "Failed") and lost[name] < LOST_POLLS:
                continue
            waiting.remove(name)
            if state == "Success":
                print(name, flush=True)
            yield name, state == "Success"
        if num_workers or not waiting:
            continue
        for finding in doctor_queue.find(root):  # else it would stay Running
            with contextlib.suppress(NotFixed):
                finding.fix()
        if any(states.get(name) == "Queued" for name in waiting):
            _dvc(root, "queue", "start")


def _states(root: Path) -> dict[str, str]:
    """The state of each experiment of the queue by its name: Queued, Running, Success or Failed."""
    with _repo(root) as repo:
        return {str(each["name"]): str(each["status"]) for each in _queue(repo).status()}


def _workers(root: Path) -> int:
    with _repo(root) as repo:
        return len(_queue(repo).worker_status())


def _repo(root: Path) -> Any:
    from dvc.repo import Repo

    return Repo(str(root))


def _queue(repo: Any) -> Any:
    return repo.experiments.celery_queue


def _dvc(root: Path, *arguments: str, **environment: str) -> None:
    """Run a command of DVC.

    Raises:
        UserError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env={**os.environ, **environment},
        # A worker that it starts lives on, and would hold a pipe open.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if "start" in arguments else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"dvc {' '.join(arguments)}: {squeezed(done.stderr or 'failed')}")


def gpus_here() -> list[str]:
    """A value of CUDA_VISIBLE_DEVICES for each GPU; of one or none its own is left as it is."""
    import torch

    if torch.cuda.device_count() < 2:
        return [""]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return chosen.split(",") if chosen else [str(gpu) for gpu in range(torch.cuda.device_count())]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    common.add_overrides(parser)
    options = parser.parse_args()
    with one_line("finetune: queue"):
        sys.exit(run(Path(), sweeps.of(options.name, options.overrides), gpus_here()))


if __name__ == "__main__":
    main()
