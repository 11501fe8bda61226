"""Read access of this account to the models and data sets of a run."""

import os
from collections.abc import Iterator
from pathlib import Path

from finetune.core import hub
from finetune.core.schema import Hub, Params
from finetune.hosted import prices
from finetune.preflight.finding import Finding, fail, ok, warning


def files(params: Params) -> Iterator[Finding]:
    """Whether the folders of a local model or local data exist."""
    folders = {"model.name": params.model.name} if params.model.source == "local" else {}
    tasks = params.tasks.values()
    has_mixed_files = any(part.files for task in tasks for part in task.source.mix.values())
    if has_mixed_files and params.data.root is None:
        yield fail("data.root: is not set, and a task mixes in a file", "-S data.root=DIR")
    elif has_mixed_files or params.data.source == "files":
        folders["data.root"] = str(params.data.root)
    for key, folder in folders.items():
        if not Path(folder).is_dir():
            yield fail(f"{key}: no folder {folder}", f"give another -S {key}=DIR")
        elif key == "model.name" and not any(Path(folder).glob("*.safetensors")):
            todo = "make smollm2" if Path(folder).name == "smollm2" else "-S model.name=DIR"
            yield fail(f"{key}: {folder} holds no weights", todo)
        else:
            yield ok(f"{key} {folder}")


def of_hub(params: Params) -> Iterator[Finding]:
    """Whether the hub's models and data sets are readable and pinned; no token is printed."""
    if params.model.source == "hub":
        if params.model.revision is None:
            yield fail(
                f"{params.model.name} is not pinned to a commit",
                "`finetune pin model=NAME` does it",
            )
        yield _readable(params.model.name, "model")
    for name, task in params.tasks.items():
        read: list[Hub] = [part.hub for part in task.source.mix.values() if part.hub]
        if params.data.source == "hub":
            if task.source.hub is None:
                yield fail(f"{name}: has no data set on the hub", "use data=files or data=embedded")
            else:
                read.insert(0, task.source.hub)
        for source in read:
            yield _readable(source.repo, "dataset")
            if source.revision is None:
                todo = f"`finetune pin data={name}`, or the newest is fetched and recorded"
                yield warning(f"{source.repo} is not pinned to a commit", todo)


def _readable(repo: str, repo_type: hub.RepoType) -> Finding:
    refusal = hub.refusal(repo, repo_type)
    if refusal is None:
        with_token = "with the token that is set" if hub.has_token() else "without a token"
        return ok(f"{repo} can be read {with_token}")
    what, _, todo = refusal.partition("; ")
    return fail(what, todo or "see that this account may read it, then set HF_TOKEN")


def of_provider(params: Params) -> Iterator[Finding]:
    """Whether there is a key for a hosted model, and a limit of cost; nothing is sent."""
    assert params.model.api is not None
    variable = params.model.api.key_variable
    if os.environ.get(variable, "").strip():
        yield ok(f"{variable} is set, for {params.model.api.host}")
    else:
        yield fail(f"{variable} is not set", f"export it with your key for {params.model.api.host}")
    if params.run.max_usd is None:
        yield warning("a stage may spend any amount", "set run.max_usd")
        return
    yield ok(f"a stage may spend {params.run.max_usd:g} USD")
    # Or the stage after a job that is paid would refuse to ask the model that it made.
    names = list(prices.ANSWERS)
    names += [prices.TRAINING, *prices.TUNED_ANSWERS] if params.method.is_hosted else []
    if refusal := prices.not_known(params.run, "this run", names):
        what, _, todo = refusal.rpartition(": ")
        yield fail(what, todo)
