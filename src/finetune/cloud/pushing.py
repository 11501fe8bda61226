"""`finetune push`: an experiment goes to both remotes, and both are asked whether it is there.

`dvc exp push` pushes to Git first: one that fails in between leaves an experiment there whose files
nobody has. It also takes the DVC remote from the experiment's own commit: one that was made before
the remote was added, or whose remote is a relative path, uploads nothing, and is called pushed.
Here the files go first, to the remote that is the default now, and are looked for there by name and
size; only then the experiment appears at the Git remote. So one that is there is whole.
"""

import logging
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune.cloud.refs import ref_of
from finetune.core import remote_state, runstate
from finetune.core.errors import UserError, squeezed
from finetune.core.git import git
from finetune.core.memory import GB

CONNECTIONS = 16
AGAIN = "nothing of it is lost: mend that, then push it again"


def run(root: Path, names: Sequence[str], git_remote: str) -> int:
    """Push experiments, and print a line for each that has arrived.

    Raises:
        UserError: one of them is not in both remotes.
    """
    for name in names:
        ref, commit = ref_of(root, name)
        try:
            files = push_files(root, commit)
            push_ref(root, ref, commit, git_remote)
        except UserError as error:
            raise UserError(f"{name}: not pushed: {error}; {AGAIN}") from None
        size = sum(files.values()) / GB
        what = f"{len(files)} files ({size:.3f} GB)"
        print(f"{name}: {commit[:7]} is at {git_remote}, {what} at DVC's remote")
        # Nothing resumes from these any more.
        for copy in remote_state.kept(root / runstate.root(), name):
            copy.remove()
    return 0


def push_ref(root: Path, ref: str, commit: str, git_remote: str) -> None:
    """Push an experiment's reference, and ask for it.

    Raises:
        UserError: the remote does not have it.
    """
    git(root, "push", "--quiet", git_remote, f"{commit}:{ref}")
    there = git(root, "ls-remote", git_remote, ref).partition("\t")[0]
    if there != commit:
        raise UserError(f"{git_remote} has {there[:7] or 'nothing'} at {ref}, not {commit[:7]}")


def push_files(root: Path, commit: str) -> dict[str, int]:
    """Push what DVC holds of a commit, with the run cache, and look for each file of it.

    Returns the sizes of the files in bytes, by hash.

    Raises:
        UserError: some are not there.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo, explained("DVC's remote") as failures:
        _check_remote(repo)
        hashes = _hashes(repo, commit)
        files = _sizes(repo, hashes)
        repo.cloud.push({*hashes, *_push_run_cache(repo)})
        missing = _missing(repo, files)
        if missing:
            # DVC takes for there what it has once put there.
            _upload(repo, missing)
            missing = _missing(repo, files)
    if missing:
        why = f" ({failures[0]})" if failures else ""
        raise UserError(f"{len(missing)} of {len(files)} files are not in DVC's remote{why}")
    return files


def probe(root: Path, git_remote: str) -> int:
    """See that both remotes can be written, before there is anything to lose.

    A small file is written to DVC's and removed; Git's is asked without a change (`--dry-run`).

    Raises:
        UserError: one of them cannot.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo, explained("DVC's remote cannot be written"):
        remote = _check_remote(repo)
        folder = remote.fs.join(remote.path, remote_state.FOLDER)
        file = remote.fs.join(folder, f"probe-{uuid.uuid4().hex}")
        remote.fs.makedirs(folder)
        remote.fs.pipe_file(file, b"written by finetune push --probe")
        remote.fs.rm_file(file)
    try:
        git(root, "push", "--quiet", "--dry-run", git_remote, "HEAD:refs/exps/probe")
    except UserError as error:
        raise UserError(f"{git_remote} cannot be written: {error}") from None
    print(f"{git_remote} and DVC's remote can be written")
    return 0


def _check_remote(repo: Any) -> Any:
    if not repo.config["core"].get("remote"):
        raise UserError(
            "there is no DVC remote: `dvc remote add --default NAME URL`, and commit it"
        )
    return repo.cloud.get_remote()


def _hashes(repo: Any, commit: str) -> set[Any]:
    """What DVC holds of a commit: of a folder its list and its files, too.

    Raises:
        UserError: the cache of this machine lacks some.
    """
    hashes: set[Any] = set()
    for _ in repo.brancher(revs=[commit], workspace=False, sha_only=True):
        for out in repo.index.outs:
            if not out.use_cache or not out.can_push:
                continue
            obj = out.get_obj() if out.hash_info else None
            if obj is None:
                raise UserError(f"{out} of this experiment is not in the cache: was it run here?")
            hashes.add(out.hash_info)
            if out.hash_info.isdir:
                hashes |= {found for _, _, found in obj}
    return hashes


def _push_run_cache(repo: Any) -> set[Any]:
    """Push which stages have run with what; returns what these gave, to be pushed too."""
    from dvc.stage.cache import RunCacheNotSupported

    try:
        used = repo.stage_cache.get_used_objs(repo.stage_cache.push(None))
    except RunCacheNotSupported:  # of storage by http
        return set()
    return set().union(*used.values())


def _sizes(repo: Any, hashes: set[Any]) -> dict[str, int]:
    """The size in bytes of each file of the local cache, by its hash.

    Raises:
        UserError: the cache lacks one.
    """
    cache = repo.cache.local
    try:
        return {each.value: cache.fs.size(cache.oid_to_path(each.value)) for each in hashes}
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename or error} of this experiment is not in the cache: was it run here?"
        ) from None


def _upload(repo: Any, names: Sequence[str]) -> None:
    """Copy files of the cache to the default remote, over what is there."""
    there, cache = repo.cloud.get_remote_odb(), repo.cache.local
    for name in names:
        target = there.oid_to_path(name)
        there.fs.makedirs(there.fs.parent(target))
        if there.fs.exists(target):
            there.fs.rm_file(target)
        there.fs.put_file(cache.oid_to_path(name), target)


def _missing(repo: Any, files: dict[str, int]) -> list[str]:
    """The hashes of files that the default remote does not have in this size."""
    there = repo.cloud.get_remote_odb()

    def is_missing(item: tuple[str, int]) -> bool:
        try:
            return bool(there.fs.size(there.oid_to_path(item[0])) != item[1])
        except FileNotFoundError:
            return True

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        is_each = list(pool.map(is_missing, files.items()))
    return [name for name, missing in zip(files, is_each, strict=True) if missing]


class _Failures(logging.Handler):
    """What DVC logs as errors: of a file that failed to upload it raises no more than a count."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.said.append(squeezed(str(error) or record.getMessage()))


@contextmanager
def explained(where: str) -> Iterator[list[str]]:
    """What goes wrong with a remote in this block, in one line; yields what DVC logs of it.

    Raises:
        UserError: it went wrong.
    """
    handler = _Failures()
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
    before = [(each.handlers, each.propagate) for each in loggers]
    for each in loggers:
        each.handlers, each.propagate = [handler], False
    try:
        yield handler.said
    except UserError:
        raise
    # Each kind of storage raises its own errors.
    except Exception as error:
        why = handler.said[0] if handler.said else squeezed(error) or type(error).__name__
        raise UserError(f"{where}: {why}") from None
    finally:
        for each, (handlers, propagates) in zip(loggers, before, strict=True):
            each.handlers, each.propagate = handlers, propagates
