"""An adapter or a model in a folder, or published on the hub, by repository and revision."""

import re
from pathlib import Path

from finetune.core import hub
from finetune.core.errors import HubError, ModelError, UserError
from finetune.core.files import read_json
from finetune.core.schema import Model

NAMED = re.compile(r"([\w.-]+/[\w.-]+)@([\w./-]+)", re.ASCII)
# Weights as safetensors alone: other formats run code when they are read.
FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model"]
CONFIG = "adapter_config.json"
BRANCH = "main"
MOST_NAMES = 5


def folder(name: str) -> Path:
    """A folder as it is here; of OWNER/NAME@REVISION that in the hub's cache, see `fetch`."""
    here = Path(name)
    return here if here.is_dir() else fetch(name)


def fetch(name: str) -> Path:
    """The folder of OWNER/NAME@REVISION in the hub's cache.

    Raises:
        UserError: the name has no revision, or that of the default branch.
        HubError: the hub cannot be reached, or has no such revision.
    """
    match = NAMED.fullmatch(name)
    if not match or match[2] == BRANCH:
        raise UserError(
            f"--adapter: {name!r} is no folder here, and no OWNER/NAME@REVISION with a commit or a "
            "tag: what stands on a branch changes"
        )
    from huggingface_hub import snapshot_download

    repo, revision = match.groups()
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=FILES))
    except Exception as error:  # the client raises dozens of types, from three HTTP libraries
        why = hub.reason(error, repo, "model") or f"{repo}: {hub.one_line(error)}"
        raise HubError(why) from error


def check(folder: Path, name: str, model: Model, weights: str) -> None:
    """Check that a folder has the method's file of weights, and is of params.yaml's base.

    Raises:
        ModelError: it is not.
    """
    if not (folder / weights).is_file():
        raise ModelError(
            f"--adapter: {name} holds no {weights}, which this method.tuner makes, but "
            f"{_listed(folder)}; other exports than adapters are for other programs"
        )
    if not (folder / CONFIG).is_file() or model.source != "hub":
        return
    config = read_json(folder / CONFIG)
    of, revision = config.get("base_model_name_or_path"), config.get("revision")
    if of and of != model.name:
        raise ModelError(f"--adapter: {name} is of {of}, and model.name is {model.name}")
    if revision and model.revision and revision != model.revision:
        raise ModelError(
            f"--adapter: {name} is of {of} at {revision}, and model.revision is {model.revision}"
        )


def _listed(folder: Path) -> str:
    """What is in a folder, in a few words."""
    names = sorted(file.name for file in folder.iterdir())
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more or "nothing"
