"""Kills stages at random moments, runs the same commands again, and compares what they give.

    python bench/kills.py [--seed N] [--count N]

In a clone of the working tree with one task and a few rows, through `dvc repro`, `dvc exp run` and
the queue. Each kill is a `kill -9` of the stage, of DVC, or of both; half of a training's fall into
a save. The outs must equal those of a run that was not killed, bit for bit; what a metric file says
under `run` is the machine's. Exit code 1 unless all are equal.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finetune.checks.lockfile import copy_working_tree
from finetune.doctor import processes

ROOT = Path(__file__).parent.parent
TASK = "price"
STEPS = 8
EXPERIMENT = f"""# @package _global_
data:
  limit: {{train: 64, validation: 16, test: 32}}
eval:
  draws: 1
train:
  max_steps: {STEPS}
  num_evals: 2
  batch_size: 8
run:
  save_minutes: 1.0e-6
  eval_token_budget: 256
  token_budget: 512
  logging_steps: 3
"""
THROUGH = ("repro", "exp run", "queue")
VICTIMS = ("stage", "dvc", "both")
SECONDS = 240.0


@dataclass(frozen=True)
class Kill:
    """Which stage is killed, through what, whom, and when.

    at: a checkpoint's step, or a number of answered batches; in_save: while that is being saved,
    else `delay` seconds after it.
    """

    stage: str
    through: str
    victim: str
    at: int
    in_save: bool
    delay: float


@dataclass(frozen=True)
class Outcome:
    """How a killed run ended: the units it resumed from, and what differs."""

    resumed: int
    differing: list[str]


def draw(count: int, seed: int) -> list[Kill]:
    """So many kills: every stage through everything, the moments at random."""
    generator = random.Random(seed)
    stages = ("train", "train", "base", "predict")
    kills = []
    for i in range(count):
        stage = stages[i % len(stages)]
        at = generator.randint(1, STEPS - 2) if stage == "train" else generator.randint(1, 6)
        in_save = stage == "train" and i % 2 == 0
        through = THROUGH[(i // len(stages)) % len(THROUGH)]
        kills.append(
            Kill(stage, through, generator.choice(VICTIMS), at, in_save, generator.random() / 2)
        )
    return kills


class Repository:
    """A clone with one task, in which stages are killed."""

    def __init__(self, folder: Path, stages: tuple[str, ...]) -> None:
        self.folder = folder.resolve()
        copy_working_tree(ROOT, self.folder)
        config = self.folder / "conf/config.yaml"
        text = config.read_text(encoding="utf-8").replace("  - task@tasks.samsum: samsum\n", "")
        text = text.replace("- experiment: null", "- experiment: kills")
        config.write_text(text, encoding="utf-8")
        (self.folder / "conf/experiment/kills.yaml").write_text(EXPERIMENT, encoding="utf-8")
        self._check(sys.executable, "-m", "finetune.cli", "params")
        for command in (
            ("config", "user.email", "bench@example.com"),
            ("config", "user.name", "Bench"),
            ("add", "-A"),
            ("commit", "--quiet", "-m", "One task, a few rows"),
        ):
            self._check("git", *command)
        for stage in stages:
            self.dvc("repro", f"{stage}@{TASK}")
        self._check("git", "add", "-A")
        self._check("git", "commit", "--quiet", "-m", "Whole runs")
        self.whole = {stage: self.outs(stage) for stage in stages}

    def run(self, kill: Kill) -> Outcome:
        """Kill a stage, mend what DVC left behind, run the same command again, compare."""
        name = f"k{random.randrange(10**9)}"
        arguments = self._arguments(kill, name)
        running = self._start(*arguments)
        try:
            self._wait(kill, running)
            self._kill(kill)
        finally:
            self._settle(running)
        self._check(sys.executable, "-m", "finetune.cli", "doctor", "--fix")
        if kill.through == "queue":
            with contextlib.suppress(subprocess.CalledProcessError):
                self.dvc("queue", "remove", name)
            arguments = self._arguments(kill, name)
        self.dvc(*arguments)
        rev = name if kill.through == "queue" else None
        outs = self.outs(kill.stage, rev)
        whole = self.whole[kill.stage]
        differing = [
            path
            for path in {*whole["values"], *outs["values"]}
            if outs["values"].get(path) != whole["values"].get(path)
        ]
        if kill.through != "repro":
            self._check("git", "checkout", "--quiet", "--", ".")
        return Outcome(outs["resumed"], sorted(differing))

    def outs(self, stage: str, rev: str | None = None) -> dict[str, Any]:
        """What a stage gave: hashes of its outs, its metrics, and from where it resumed."""
        entry = yaml.safe_load(self._read("dvc.lock", rev))["stages"][f"{stage}@{TASK}"]
        values: dict[str, Any] = {}
        resumed = 0
        for out in entry["outs"]:
            if not out["path"].endswith(".json"):
                values[out["path"]] = out["md5"]
                continue
            (metrics,) = json.loads(self._read(out["path"], rev))[TASK].values()
            run = metrics.pop("run")
            resumed = run.get("resumed_at_step", run.get("resumed_rows"))
            values[out["path"]] = metrics
        return {"values": values, "resumed": resumed}

    def _read(self, path: str, rev: str | None) -> str:
        if rev is None:
            return (self.folder / path).read_text(encoding="utf-8")
        # Git does not find an experiment by its name alone.
        refs = self._check("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
        (ref,) = (ref for ref in refs if ref.endswith(f"/{rev}"))
        return self._check("git", "show", f"{ref}:{path}")

    def _arguments(self, kill: Kill, name: str) -> tuple[str, ...]:
        target = ("--force", "--single-item", f"{kill.stage}@{TASK}")
        if kill.through == "repro":
            return ("repro", *target)
        if kill.through == "exp run":
            return ("exp", "run", *target)
        self.dvc("exp", "run", "--queue", "--name", name, *target)
        return ("exp", "run", "--run-all")

    def _wait(self, kill: Kill, running: "subprocess.Popen[bytes]") -> None:
        """Until the moment of the kill.

        Raises:
            RuntimeError: the run ended before.
        """
        deadline = time.monotonic() + SECONDS
        while not self._has_come(kill):
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{kill}: the run ended before it was killed")
            time.sleep(0.0005)
        if not kill.in_save:
            time.sleep(kill.delay)

    def _has_come(self, kill: Kill) -> bool:
        for state in (self.folder / ".runstate").glob(f"{kill.stage}-{TASK}-*/"):
            if kill.stage != "train":
                with contextlib.suppress(OSError):
                    return (state / "answers.jsonl").read_bytes().count(b"\n") >= kill.at
                return False
            steps = [int(p.name.partition("-")[2]) for p in state.glob("checkpoint-*")]
            if kill.in_save:  # a save has begun that no manifest has ended
                return any(
                    step >= kill.at and not (state / f"checkpoint-{step}/manifest.json").exists()
                    for step in steps
                )
            return any(
                step >= kill.at and (state / f"checkpoint-{step}/manifest.json").exists()
                for step in steps
            )
        return False

    def _kill(self, kill: Kill) -> None:
        stages = [seen.process.pid for seen in self._stages()]
        dvc = processes.running_dvc(self.folder)
        victims = {"stage": stages, "dvc": dvc, "both": [*dvc, *stages]}[kill.victim]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _settle(self, running: "subprocess.Popen[bytes]") -> None:
        """Wait for what was not killed: a stage ends by itself when its DVC is dead."""
        deadline = time.monotonic() + SECONDS
        while self._stages() or processes.running_dvc(self.folder):
            if time.monotonic() > deadline:
                raise RuntimeError("a process does not end")
            time.sleep(0.2)
        running.wait()

    def _stages(self) -> list[processes.Seen]:
        return [
            seen for seen in processes.every() if seen.stage and seen.dvc_root == str(self.folder)
        ]

    def dvc(self, *arguments: str) -> str:
        """What `dvc …` prints; it must succeed."""
        return self._check(sys.executable, "-m", "dvc", *arguments)

    def _check(self, *command: str) -> str:
        # To files: a worker of the queue would hold a pipe open.
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                command, cwd=self.folder, env=self._env(), stdout=said, stderr=said, check=False
            )
            said.seek(0)
            text = said.read()
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {text[-3000:]}")
        return text

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.folder,
            env=self._env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _env(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # Relative: queued experiments run in checkouts of their own.
        return {**os.environ, "PYTHONPATH": "src", "PATH": path}


def main() -> None:
    """Print a line for each kill; exit 1 unless all give what the whole run gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    equal = 0
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder) / "clone", ("train", "base", "predict"))
        print("| stage | through | killed | at | resumed from | equal |\n|---|---|---|---|---|---|")
        for kill in draw(options.count, options.seed):
            unit = "step" if kill.stage == "train" else "batch"
            moment = f"{unit} {kill.at}{', in its save' if kill.in_save else ''}"
            try:
                outcome = repository.run(kill)
                verdict = "yes" if not outcome.differing else f"no: {', '.join(outcome.differing)}"
                resumed = f"{'step' if kill.stage == 'train' else 'row'} {outcome.resumed}"
            except RuntimeError as error:
                verdict, resumed = f"no: {str(error)[-300:]}", "-"
            equal += verdict == "yes"
            row = (kill.stage, kill.through, kill.victim, moment, resumed, verdict)
            print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{equal} of {options.count} equal")
    sys.exit(equal != options.count)


if __name__ == "__main__":
    main()
