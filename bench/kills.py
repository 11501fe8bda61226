"""Kills stages at random moments, runs the same commands again, and compares what they give.

    python bench/kills.py [--seed N] [--count N]

In a clone of the working tree with one task and a few rows, through `dvc repro`, `dvc exp run` and
the queue. Each kill is a `kill -9` of the stage, of DVC, or of both; half of a training's fall into
a save, others into the writing of its outs. The stage must resume from what it had saved, and its
outs must equal those of a run that was not killed, bit for bit; hardware/ and what a metric file
says under `run` are the machine's. A kill that found nothing saved, or nothing to kill, is shown,
but another is drawn for it. Exit code 1 unless all resumed and are equal.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
    else `delay` seconds after it; in_outs: while the adapter's folder is written,
    after the last checkpoint.
    """

    stage: str
    through: str
    victim: str
    at: int
    in_save: bool
    delay: float
    in_outs: bool = False

    @property
    def moment(self) -> str:
        """As the table has it."""
        if self.in_outs:
            return "its outs being written"
        unit = "step" if self.stage == "train" else "batch"
        return f"{unit} {self.at}{', in its save' if self.in_save else ''}"


@dataclass(frozen=True)
class Outcome:
    """How a killed run ended: the units it resumed from, and what differs.

    missed: why it is no test of resuming, such as that nothing had been saved; or "".
    """

    resumed: int
    differing: list[str]
    missed: str = ""

    @property
    def verdict(self) -> str:
        """`yes`, `no: …`, or `not counted: …`."""
        if self.differing:
            return f"no: {', '.join(self.differing)}"
        if self.missed:
            return f"not counted: {self.missed}"
        return "yes" if self.resumed else "no: it started anew"


def draw(count: int, seed: int) -> list[Kill]:
    """So many kills: every stage through everything, the moments at random."""
    return list(itertools.islice(draws(seed), count))


def draws(seed: int) -> Iterator[Kill]:
    """Kills without end."""
    generator = random.Random(seed)
    stages = ("train", "train", "base", "predict")
    for i in itertools.count():
        stage = stages[i % len(stages)]
        at = generator.randint(1, STEPS - 2) if stage == "train" else generator.randint(1, 6)
        in_save = stage == "train" and i % 2 == 0
        through = THROUGH[(i // len(stages)) % len(THROUGH)]
        in_outs = i % (2 * len(stages)) == 1
        victim, delay = generator.choice(VICTIMS), generator.random() / 2
        yield Kill(stage, through, victim, at, in_save, delay, in_outs)


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
            victims = self._wait(kill, running)
            saved = self._saved(kill.stage)
            killed = self._kill(victims)
        finally:
            self._settle(running)
        missed = self._missed(kill.stage, killed, saved)
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
        return Outcome(outs["resumed"] or 0, sorted(differing), missed)

    def outs(self, stage: str, rev: str | None = None) -> dict[str, Any]:
        """What a stage gave: hashes of its outs, its metrics, and from where it resumed."""
        entry = yaml.safe_load(self._read("dvc.lock", rev))["stages"][f"{stage}@{TASK}"]
        values: dict[str, Any] = {}
        resumed = 0
        for out in entry["outs"]:
            if out["path"].startswith("hardware/"):
                continue
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

    def _wait(self, kill: Kill, running: "subprocess.Popen[bytes]") -> list[int]:
        """Until the moment of the kill; the PIDs to kill, looked up before, since that takes long.

        Empty where the run ended before.

        Raises:
            RuntimeError: the moment does not come.
        """
        deadline = time.monotonic() + SECONDS
        victims: list[int] = []
        while not self._has_come(kill):
            if running.poll() is not None:
                return []
            if time.monotonic() > deadline:
                raise RuntimeError(f"{kill}: {SECONDS} s are over before it could be killed")
            if not victims and self._has_begun(kill.stage):
                victims = self._victims(kill)
            time.sleep(0.0005)
        if not kill.in_save and not kill.in_outs:
            time.sleep(kill.delay)
        return victims or self._victims(kill)

    def _has_begun(self, stage: str) -> bool:
        return any((self.folder / ".runstate").glob(f"{stage}-{TASK}-*/"))

    def _saved(self, stage: str) -> int:
        """How many whole checkpoints or answered batches a run state has."""
        saved = 0
        for state in (self.folder / ".runstate").glob(f"{stage}-{TASK}-*/"):
            saved += len(list(state.glob("checkpoint-*/manifest.json")))
            with contextlib.suppress(OSError):
                saved += (state / "answers.jsonl").read_bytes().count(b"\n")
        return saved

    def _missed(self, stage: str, killed: int, saved: int) -> str:
        """Why a kill is no test of resuming, or ""; `saved` is what there was just before it."""
        if not killed:
            return "after the end"
        if self._saved(stage):
            return ""
        # A stage whose DVC died may still come to its end.
        return "before the first save" if not saved else "the stage ended well"

    def _has_come(self, kill: Kill) -> bool:
        if kill.in_outs:
            exps = self.folder / ".dvc/tmp/exps"
            checkouts = (self.folder, *exps.glob("tmp*"), *exps.glob("standalone/tmp*"))
            return any(any((each / "models").glob(f".{TASK}.*.partial")) for each in checkouts)
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

    def _victims(self, kill: Kill) -> list[int]:
        stages = [seen.process.pid for seen in self._stages()]
        dvc = processes.running_dvc(self.folder)
        return {"stage": stages, "dvc": dvc, "both": [*dvc, *stages]}[kill.victim]

    def _kill(self, victims: list[int]) -> int:
        """How many of them it killed."""
        killed = 0
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        return killed

    def _settle(self, running: "subprocess.Popen[bytes]") -> None:
        """Wait for what was not killed: a stage ends by itself when its DVC is dead."""
        deadline = time.monotonic() + SECONDS
        # poll() reaps it: a stage sees a DVC that is a zombie as alive.
        while running.poll() is None or self._stages() or processes.running_dvc(self.folder):
            if time.monotonic() > deadline:
                raise RuntimeError("a process does not end")
            time.sleep(0.05)

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
    """Print a line for each kill; exit 1 unless all resume, and give what the whole run gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    equal = counted = 0
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder) / "clone", ("train", "base", "predict"))
        print("| stage | through | killed | at | resumed from | resumed and equal |")
        print("|---|---|---|---|---|---|")
        # Not without end: a stage that never saves must not be drawn for ever.
        for kill in itertools.islice(draws(options.seed), 2 * options.count):
            if counted == options.count:
                break
            try:
                outcome = repository.run(kill)
                verdict = outcome.verdict
                resumed = f"{'step' if kill.stage == 'train' else 'row'} {outcome.resumed}"
            except RuntimeError as error:
                verdict, resumed = f"no: {str(error)[-300:]}", "-"
            equal += verdict == "yes"
            counted += not verdict.startswith("not counted")
            row = (kill.stage, kill.through, kill.victim, kill.moment, resumed, verdict)
            print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{equal} of {options.count} resumed and equal")
    sys.exit(equal != options.count)


if __name__ == "__main__":
    main()
