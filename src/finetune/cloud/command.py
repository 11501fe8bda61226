"""`finetune remote`: what a run on a rented GPU takes and costs, and the commands that start it."""

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from finetune.cloud import sweeps
from finetune.cloud.launchers import GPUS, Launch, box, runpod, sky
from finetune.composition import compose
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.git import git
from finetune.core.schema import Params
from finetune.planning.command import print_plan

# What the storage of a DVC remote takes its credentials from, by the scheme of its URL.
STORAGE_SECRETS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "azure": ("AZURE_STORAGE_CONNECTION_STRING",),
}
# Stands in the commands for a Git remote that there is not yet.
NO_URL = "URL"
# As Git writes an address by SSH: user@host:path.
SCP_LIKE = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")


def run(
    root: Path, experiment: str, overrides: Sequence[str], gpu: str, gpus: int, name: str | None
) -> int:
    """Print plan, cost, what is missing, and the commands; 1 if the run does not fit the GPU.

    Raises:
        UserError: there is no such preset or GPU, or nothing to clone from.
    """
    _check_preset(root, experiment)
    options = [f"experiment={experiment}", *overrides]
    name = name or _name(experiment, overrides)
    combinations = sweeps.of(name, options)
    first = next(iter(combinations.values()))
    settings = params.validate_text(compose(root, first), "conf")
    launch = Launch(
        name=name,
        options=tuple(options),
        is_queue=len(combinations) > 1,
        gpu=gpu.lower(),
        gpus=gpus,
        repo=_repo(root),
        commit=git(root, "rev-parse", "HEAD"),
        secrets=_secrets(root, settings),
    )
    todo = _first(root, launch, settings.run.processes)
    is_fitting = print_plan(root, first, gpu)
    if launch.is_queue:
        print(f"This is {name}-1, the first of {len(combinations)} runs, {gpus} at a time.")
    if settings.run.usd_per_hour is None:
        print("For its cost: -S run.usd_per_hour=USD, the price of the box.")
    print()
    for line in todo:
        print(f"First: {line}")
    print(f"\n{sky(launch)}\n\n{runpod(launch)}\n\n{box(launch)}\n")
    print("When it has ended, on this machine:")
    for each in combinations:
        print(f"  finetune review {each}")
    return 0 if is_fitting else 1


def _check_preset(root: Path, experiment: str) -> None:
    known = sorted(file.stem for file in (root / "conf/experiment").glob("*.yaml"))
    if experiment not in known:
        raise UserError(
            f"{experiment}: no such preset in conf/experiment; known: {', '.join(known)}"
        )


def _name(experiment: str, overrides: Sequence[str]) -> str:
    """The same for the same run, so that the same command goes on with it.

    What is of the machine alone (`run`) changes nothing of it.
    """
    changes = [override for override in overrides if not override.startswith("run.")]
    if not changes:
        return experiment
    digest = hashlib.sha256(shlex.join(changes).encode()).hexdigest()
    return f"{experiment}-{digest[:6]}"


def _repo(root: Path) -> str:
    """Where a box clones from: by https where origin is by SSH, and without a name or a token.

    `NO_URL` where origin is a folder of this machine.

    Raises:
        UserError: there is no origin.
    """
    try:
        url = git(root, "remote", "get-url", "origin")
    except UserError:
        raise UserError(
            "there is no Git remote `origin`, which a box clones from and pushes to: "
            "git remote add origin URL"
        ) from None
    if by_ssh := SCP_LIKE.fullmatch(url):
        return f"https://{by_ssh[1]}/{by_ssh[2].lstrip('/')}"
    parts = urlsplit(url)
    if not parts.hostname:
        return NO_URL
    scheme = "https" if parts.scheme == "ssh" else parts.scheme
    port = f":{parts.port}" if parts.port and parts.scheme != "ssh" else ""
    return urlunsplit((scheme, f"{parts.hostname}{port}", parts.path, "", ""))


def _secrets(root: Path, settings: Params) -> tuple[str, ...]:
    """The names of the environment variables that a box needs."""
    names = ["GIT_TOKEN"]
    if "hub" in (settings.model.source, settings.data.source) or settings.run.hub:
        names.append("HF_TOKEN")
    if settings.model.api is not None:
        names.append(settings.model.api.key_variable)
    here, committed = _storage(root)
    names += STORAGE_SECRETS.get(urlsplit(committed.url or here.url).scheme, ())
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Storage:
    """DVC's default remote; both are empty where there is none."""

    name: str
    url: str


def _storage(root: Path) -> tuple[Storage, Storage]:
    """As this machine has it, and as .dvc/config has it, which a box clones."""
    from dvc.config import Config

    config = Config(str((root / ".dvc").resolve()), validate=False)
    found = []
    for level in (config.read(), config.load_one("repo")):
        name = level.get("core", {}).get("remote", "")
        url = level.get("remote", {}).get(name, {}).get("url", "")
        found.append(Storage(str(name), str(url)))
    return found[0], found[1]


def _of_storage(here: Storage, committed: Storage) -> str:
    """What is to be done for a box to reach the storage; empty if nothing is."""
    if not committed.url and here.url:
        return (
            f"dvc remote add --default {here.name} URL, and commit .dvc/config: the DVC remote "
            f"{here.name} stands in this machine's configuration alone, which no box gets"
        )
    if not committed.url:
        return "dvc remote add --default storage URL, and commit .dvc/config"
    if urlsplit(committed.url).scheme in ("", "file"):
        return (
            f"dvc remote modify {committed.name} url URL, and commit .dvc/config: "
            f"{committed.url} is a folder of this machine, which no box reaches"
        )
    return ""


def _first(root: Path, launch: Launch, processes: int) -> list[str]:
    """What is to be done before one of the commands, a line each."""
    todo = []
    if not launch.is_queue and launch.gpus != processes:
        todo.append(
            f"this run uses {processes} of {launch.gpus} GPUs: -S run.processes={launch.gpus}, or "
            f"--gpus {processes}"
        )
    if git(root, "status", "--porcelain", "--untracked-files=no"):
        todo.append("commit what is changed here: a box sees commits alone")
    if launch.repo == NO_URL:
        todo.append(
            f"git remote set-url origin {NO_URL}, and git push origin HEAD: "
            f"{git(root, 'remote', 'get-url', 'origin')} is a folder of this machine, which no box "
            "reaches"
        )
    elif not git(root, "branch", "--remotes", "--list", "origin/*", "--contains", launch.commit):
        todo.append("git push origin HEAD, for a box to find this commit there")
    if storage := _of_storage(*_storage(root)):
        todo.append(storage)
    if launch.gpu not in GPUS:
        todo.append(f"see what your provider calls {launch.gpu}: the commands say {launch.gpu}")
    todo.append(f"export {' '.join(f'{name}=…' for name in launch.secrets)}")
    return todo
