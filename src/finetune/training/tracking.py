"""Experiment trackers beside DVCLive: whatever transformers' own `report_to` knows.

They are settings of the machine, under `run`: what they cannot do must not change or end a run. A
tracker whose package is missing is refused before anything is loaded; one that fails later, as
without a network, is left out from there on, with one warning.
"""

import importlib
import logging
import os
import uuid
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import integration_utils

from finetune.core.errors import ParamsError, squeezed
from finetune.core.files import read_json, write_json
from finetune.core.git import try_git

log = logging.getLogger(__name__)

FILE = "trackers.json"  # in the run state: what a resumed run must know of them
PROJECT = "finetune"
# Packages that are called otherwise than their trackers; one of several is enough.
PACKAGES = {
    "azure_ml": ("azureml",),
    "flyte": ("flytekit",),
    "tensorboard": ("tensorboard", "tensorboardX"),
}
# Always written, or settings of a cluster that no package decides on.
NOT_OFFERED = ("dvclive", "kubeflow")
# Of W&B: no paths, host and user names, no Git remote, no code and no terminal of the user.
PRIVATE = {
    "WANDB_X_DISABLE_META": "true",
    "WANDB_X_DISABLE_MACHINE_INFO": "true",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_DISABLE_CODE": "true",
    "WANDB_CONSOLE": "off",
}


def check(names: Sequence[str]) -> None:
    """See that all trackers can be used.

    Raises:
        ParamsError: transformers does not know one, or its package is not installed.
    """
    known = [n for n in integration_utils.INTEGRATION_TO_CALLBACK if n not in NOT_OFFERED]
    for name in names:
        if name == "dvclive":
            raise ParamsError("run.report_to: dvclive is always written; leave it out")
        if name not in known:
            raise ParamsError(f"run.report_to: {name!r} is none of {', '.join(known)}")
        packages = PACKAGES.get(name, (name,))
        if not any(find_spec(package) for package in packages):
            raise ParamsError(
                f"run.report_to: {name} needs the package {packages[0]}, which is not installed: "
                f"pip install {packages[0]}"
            )


def run_name(task: str) -> str:
    """`bold-oath-price`: the experiment's name, else the branch or the commit, and the task."""
    name = os.environ.get("DVC_EXP_NAME") or try_git(Path(), "branch", "--show-current")
    commit = try_git(Path(), "rev-parse", "--short", "HEAD")
    return f"{name or commit or 'run'}-{task}".replace("/", "-")


def environment(name: str, run_state: Path) -> dict[str, str]:
    """Environment variables by which trackers find this run again after a kill.

    Their files go to the main repository: a temporary checkout is removed after the run.
    """
    file = run_state / FILE
    saved = read_json(file) if file.is_file() else {}
    kept = {"WANDB_RUN_ID": uuid.uuid4().hex[:8], **saved}
    write_json(file, kept)
    root = Path(os.environ.get("DVC_ROOT", "."))
    return {
        **kept,
        **PRIVATE,
        "WANDB_RESUME": "allow",
        "WANDB_PROJECT": PROJECT,
        "WANDB_DIR": str(root),
        "MLFLOW_EXPERIMENT_NAME": PROJECT,
        "TENSORBOARD_LOGGING_DIR": str(root / "tensorboard" / f"{name}-{kept['WANDB_RUN_ID']}"),
    }


class Trackers(TrainerCallback):
    """transformers' callbacks for some trackers, of which none can end the run or see the model.

    They are made when training begins. Of what the Trainer tells they get its arguments and what it
    logs: the model's config holds the path that it was loaded from.
    """

    def __init__(
        self,
        names: Sequence[str],
        name: str,
        run_state: Path,
        variables: MutableMapping[str, str] = os.environ,
    ) -> None:
        self.names, self.name, self.run_state, self.variables = names, name, run_state, variables
        self.active: dict[str, TrainerCallback] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        args.run_name, args.project = self.name, PROJECT
        for key, value in environment(self.name, self.run_state).items():
            self.variables.setdefault(key, value)  # what the user set stays
        for name in self.names:
            self._attempt(name, partial(self._begin, name, args, state))

    def _begin(self, name: str, args: TrainingArguments, state: TrainerState) -> None:
        callback = integration_utils.INTEGRATION_TO_CALLBACK[name]()
        callback.on_train_begin(args, state, TrainerControl(), model=None)
        self.active[name] = callback
        if name == "mlflow":
            mlflow = importlib.import_module("mlflow")
            self._keep({"MLFLOW_RUN_ID": mlflow.active_run().info.run_id})

    def _keep(self, values: Mapping[str, str]) -> None:
        """Add to what a resumed run is to know."""
        file = self.run_state / FILE
        write_json(file, {**read_json(file), **values})

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: Any,
    ) -> None:
        for name, callback in list(self.active.items()):
            # A copy: it may add to what it is given.
            work = partial(callback.on_log, args, state, TrainerControl(), logs=dict(logs))
            self._attempt(name, work)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        for name, callback in list(self.active.items()):
            self._attempt(name, partial(callback.on_train_end, args, state, TrainerControl()))

    def _attempt(self, name: str, work: Callable[[], Any]) -> None:
        try:
            work()
        except Exception as error:  # whatever a tracker raises, its network's errors included
            self.active.pop(name, None)
            log.warning(
                f"run.report_to: {name} is left out from here on: {squeezed(error)}; "
                "training goes on"
            )
