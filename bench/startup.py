"""Seconds from the start of a stage's process to its first batch.

    dvc repro && python bench/startup.py

The first optimizer step of `train`, the first prompts of `predict`: imports, parameters, rows, the
model, and for training the memory that a token takes, come before. The stages run in a copy of the
data and of what was trained, and are stopped at that point.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from interleaved import ROOT, Run, in_process, in_turns, spread
from tabulate import tabulate

STAGES = ("train", "predict")


def main() -> None:
    """Print a row for each stage and task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", default=["samsum", "price"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        stage, task, folder = options.one
        os.chdir(folder)
        _run(stage, task)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("params.yaml", "dvc.yaml"):
            shutil.copy(ROOT / file, folder)
        trained = [f"models/{task}" for task in options.tasks]
        for outs in ("src/finetune", "data/prepared", "models/embedded", *trained):
            shutil.copytree(ROOT / outs, folder / outs)

        def seconds(way: str) -> Run:
            shutil.rmtree(folder / ".runstate", ignore_errors=True)  # else it resumes
            started = time.time()
            run = in_process([__file__, "--one", *way.split("@"), name])
            return run if "failed" in run else {"seconds": run["at"] - started}

        ways = [f"{stage}@{task}" for task in options.tasks for stage in STAGES]
        measured = in_turns(ways, options.rounds, seconds, lambda *_: None)
    rows = [
        [way, next((run["failed"] for run in runs if "failed" in run), None)
         or spread([run["seconds"] for run in runs], 1)]
        for way, runs in measured.items()
    ]  # fmt: skip
    print(tabulate(rows, ["stage", "seconds to the first batch (spread)"], tablefmt="github"))


def _run(stage: str, task: str) -> None:
    from finetune.core import params

    if stage == "train":
        from finetune.stages import train
        from finetune.training.step_trainer import StepTrainer

        StepTrainer.training_step = _stop  # type: ignore[method-assign]
        train.run(params.for_stage(stage, task), task)
    else:
        from torch.nn.modules.module import register_module_forward_pre_hook

        from finetune.stages import predict

        register_module_forward_pre_hook(_stop)
        predict.run(params.for_stage(stage, task), task)


def _stop(*_: Any, **__: Any) -> NoReturn:
    print(json.dumps({"at": time.time()}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    main()
