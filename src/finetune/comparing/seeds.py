"""`finetune seeds REV --n 5`: queue runs of a configuration that differ in the seed alone."""

import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from finetune.comparing import configurations, runs
from finetune.comparing.comparability import changed_params
from finetune.comparing.configurations import SEEDS, matches
from finetune.comparing.experiments import queued
from finetune.composition import compose, flat, shown
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.params import UNDECLARED, is_composed
from finetune.core.schema import WATCHED

log = logging.getLogger(__name__)
SEED = "train.seed"


def run(root: Path, name: str, count: int) -> int:
    """Queue as many runs as the configuration of `name` lacks to `count` seeds.

    Raises:
        UserError: the revision cannot be read, or is not one of the present code.
    """
    if count < 2:
        raise UserError(f"--n: is {count}, must be 2 or more")
    wanted = runs.read(root, name)
    overrides = _overrides(root, wanted)
    compared, problems = configurations.with_further_seeds(root, [wanted], SEEDS, "test")
    for problem in problems:
        log.warning(f"left out: {problem}")
    (configuration,) = configurations.grouped(compared, SEEDS)
    taken = [run.params.get(SEED) for run in configuration.runs]
    seeds = _further(taken, count - len(taken))
    if not seeds:
        print(f"{name}: there are {len(taken)} seeds already: {_names(configuration.runs)}")
        return 0
    waiting = queued(root)
    for seed in seeds:
        called = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}-seed{seed}"
        if called in waiting:
            print(f"{called} is in the queue already")
            continue
        _queue([*overrides, f"{SEED}={seed}"], called, root)
        print(f"queued {called}", flush=True)
    print("Run them with `dvc queue start`; then `finetune compare` finds them by itself.")
    return 0


def _names(compared: Sequence[runs.Run]) -> str:
    return ", ".join(f"{run.name} ({SEED} {run.params.get(SEED)})" for run in compared)


def _further(taken: Sequence[object], count: int) -> list[int]:
    """The smallest seeds from 1 that are not taken."""
    seeds: list[int] = []
    seed = 0
    while len(seeds) < count:
        seed += 1
        if seed not in taken:
            seeds.append(seed)
    return seeds


def _overrides(root: Path, wanted: runs.Run) -> list[str]:
    """What sets the run apart from what conf/ composes to, as `-S` takes it.

    Raises:
        UserError: the run is of other code or data, or lacks a key of conf/, or has others.
    """
    tasks = dict.fromkeys(
        key.split(".")[1] for key in flat(compose(root, []), "conf/") if key.startswith("tasks.")
    )
    removed = [f"~tasks.{task}" for task in tasks if task not in wanted.kinds]
    composed = compose(root, removed)
    params, _ = runs.params_of("conf/", composed)
    here = runs.Run("conf/", params, {}, {})
    changed = {
        key: pair
        for key, pair in changed_params(here, wanted).items()
        if not matches(key, SEEDS) and not key.startswith(f"{UNDECLARED}.") and not is_composed(key)
    }
    lacking = [key for key, (old, new) in changed.items() if key not in wanted.params]
    # Hydra takes keys that are written there alone: not those that have a default.
    there = flat(composed, "conf/")
    unknown = [key for key in changed if key not in there and not _is_of_mix(key)]
    if lacking or unknown:
        raise UserError(
            f"{wanted.name}: conf/ has not its tasks and parameters ({(lacking + unknown)[0]}); "
            "put what sets it apart into conf/, as docs/experiments.md says of promoting"
        )
    head = runs.read(root, "HEAD")
    of_tasks = {each for each in head.code if each[0].partition("@")[2] in ("", *wanted.kinds)}
    # Which of these is watched is up to train.select_by, in which the two may differ.
    both = {path for _, path, _ in wanted.code} & {path for _, path, _ in of_tasks}
    other = sorted(
        path
        for path in {path for _, path, _ in wanted.code ^ of_tasks}
        if path.startswith("src/") and (path in both or path not in WATCHED.values())
    )
    if other:
        raise UserError(
            f"{wanted.name}: was run with other code ({other[0]} differs from HEAD); switch to its "
            "commit and run `finetune seeds HEAD` there"
        )
    return removed + [
        f"{'' if key in there else '+'}{key}={_quoted(_in_full(wanted, key, new))}"
        for key, (_, new) in changed.items()
    ]


def _is_of_mix(key: str) -> bool:
    """Whether it is the weight of another task, of which conf/ need not have one."""
    return ".train.mix." in key


def _in_full(wanted: runs.Run, key: str, value: object) -> object:
    """A parameter with the folders of this machine, which runs are not compared by.

    Raises:
        UserError: the run is a shelved one, which has them not.
    """
    if not str(value).startswith(paths.ELSEWHERE):
        return value
    value = flat(wanted.text("params.yaml"), f"params.yaml of {wanted.name}").get(key)
    if str(value).startswith(paths.ELSEWHERE):
        raise UserError(
            f"{wanted.name}: {key} is {value}, without its folders; name the revision or "
            "experiment that was shelved"
        )
    return value


def _quoted(value: object) -> str:
    """A value in Hydra's grammar of overrides: JSON's, whose strings are quoted where needed."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return shown(value)


def _queue(overrides: Sequence[str], name: str, root: Path) -> None:
    """`dvc exp run --queue`, as its own process: it composes and stashes the workspace.

    Raises:
        UserError: DVC refuses it.
    """
    words = [word for each in overrides for word in ("--set-param", each)]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--queue", "--name", name, *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f"{name}: {lines[0] if lines else 'dvc exp run --queue failed'}")
