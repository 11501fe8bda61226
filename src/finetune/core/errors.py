"""Errors that a user can fix: reported in one line, without a traceback, with exit code 2."""

import contextlib
import errno
import json
import re
import subprocess
import sys
from collections.abc import Iterator

EXIT_CODE = 2
INTERRUPTED = 130  # as a shell has it for SIGINT

# Messages of other libraries are truncated to this length.
MAX_CHARACTERS = 400

# Remedies by the `errno` of an error of the operating system.
REMEDIES = {
    errno.ENOSPC: "free some disk space, then run the same command again",
    errno.EDQUOT: "free some of your disk quota, then run the same command again",
    errno.EACCES: "see its permissions and owner (`ls -ld`)",
    errno.EPERM: "see its permissions, owner and attributes (`ls -ld`, `lsattr -d`)",
    errno.EROFS: "the file system is mounted read-only",
    errno.EISDIR: "there is a folder where a file is expected: move it away",
    errno.ENOTDIR: "there is a file where a folder is expected: move it away",
    errno.ENOTEMPTY: "another process writes there: end it, then run the same command again",
    errno.ENAMETOOLONG: "shorten the name, or work in a folder with a shorter path",
    errno.ELOOP: "its symbolic links form a loop: fix them",
    errno.ENOENT: "`dvc repro` makes outputs of the pipeline, `dvc pull` downloads them",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.EIO: "the disk reports a failure: see the system's log",
}

# A note on an error of an evaluation amid training: what ran out was no memory of training.
SCORING = "while scoring validation rows"
# Parameters that limit the memory of a stage.
MEMORY_KEYS = {
    "train": "run.token_budget",
    "base": "run.eval_token_budget and run.cache_gb",
    "predict": "run.eval_token_budget and run.cache_gb",
}

# What the libraries that read Git's and DVC's files raise for a repository as it should not be.
OF_GIT = ("DvcException", "GitError", "NotGitRepository", "SCMError")

# In torch's message when an allocation of main memory fails.
CPU_ALLOCATOR = "DefaultCPUAllocator: can't allocate"


class UserError(Exception):
    """An error that a user can fix; its message says what is wrong, where, and what to do."""


class ParamsError(UserError):
    """A parameter that is unknown, of the wrong type or out of range."""


class DataError(UserError):
    """Rows or files that cannot be used as they are."""


class HubError(UserError):
    """The Hugging Face hub cannot be reached, or denies access."""


class FileError(UserError):
    """A damaged file of the pipeline or of its configuration."""


class ModelError(UserError):
    """A model folder or repository that cannot be loaded."""


@contextlib.contextmanager
def one_line(who: str, stage: str | None = None) -> Iterator[None]:
    """End the process with a one-line message on errors that a user can fix, and on Ctrl-C.

    Any other exception is a bug of this code and propagates. `who` is the prefix of the line,
    `stage` the running stage, if any.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        saved = str(interrupt) or "the same command runs it again"
        print(f"{who}: stopped by Ctrl-C; {saved}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        message = explained(error, stage)
        if message is None:
            raise
        print(" ".join(f"{who}: {message}".splitlines()), file=sys.stderr)
        sys.exit(EXIT_CODE)


def explained(error: Exception, stage: str | None = None) -> str | None:
    """A one-line message for an error that a user can fix; None for a bug of this code."""
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        return _out_of_memory(error, stage)
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno} of a file is no JSON ({error.msg}); is it complete?"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} of a file is not UTF-8; convert or restore it"
    if isinstance(error, UnicodeEncodeError):
        return (
            f"a text holds an unpaired surrogate (position {error.start}), which UTF-8 cannot "
            "encode: fix it in the data"
        )
    if isinstance(error, subprocess.CalledProcessError):
        return _command(error)
    if any(base.__name__ in OF_GIT for base in type(error).__mro__):  # imported by few commands
        return _git(squeezed(error))
    if type(error).__name__ == "SafetensorError":  # not every stage imports safetensors
        return f"weights cannot be read or written: {squeezed(error)}; is the disk full?"
    return None


def squeezed(error: BaseException | str) -> str:
    """A message on one line, truncated to `MAX_CHARACTERS`."""
    text = " ".join(str(error).split())
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"


def brief(value: object, most: int = 60) -> str:
    """A value as Python writes it, truncated: data may hold megabytes, or numbers beyond `repr`."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # more digits than Python converts; nested without end
        return f"a value of type {type(value).__name__} too long to show"
    return text if len(text) <= most else f"{text[:most]}…"


def _command(error: subprocess.CalledProcessError) -> str | None:
    """Of Git and DVC what they said; None for other programs, which a user does not know of."""
    words = error.cmd if isinstance(error.cmd, list) else [str(error.cmd)]
    program = next((word for word in words if word in ("git", "dvc")), None)
    if program is None:
        return None
    said = error.stderr or error.output or f"exited with {error.returncode}"
    said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return _git(f"`{program} {words[words.index(program) + 1]}`: {squeezed(said)}")


def _git(said: str) -> str:
    remedy = ""
    if "owned by" in said or "dubious ownership" in said:
        remedy = "; the repository is another user's: `git config --global --add safe.directory`"
    elif "not a git repository" in said:
        remedy = "; run it in a clone, or `git init` and commit first"
    return f"{said}{remedy}"


def _system(error: OSError) -> str:
    if error.errno is None or error.strerror is None:  # of a library, such as a network client
        return f"{type(error).__name__}: {squeezed(error)}"
    named = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = " → ".join(name if len(name) <= 200 else f"{name[:200]}…" for name in named)
    remedy = REMEDIES.get(error.errno, "fix it, then run the same command again")
    return f"{where or 'a file'}: {squeezed(error.strerror)}; {remedy}"


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation of GPU or main memory failed."""
    return isinstance(error, MemoryError) or _on_gpu(error) or CPU_ALLOCATOR in str(error)


def _on_gpu(error: Exception) -> bool:
    return type(error).__name__ == "OutOfMemoryError"  # torch's; not every stage imports torch


def _out_of_memory(error: Exception, stage: str | None) -> str:
    """The message: memory requested and free, and the parameter to lower."""
    text = squeezed(error)
    requested = re.search(r"(?:tried to|unable to) allocate ([\d.]+) ?(\w+)", text, re.IGNORECASE)
    free = re.search(r"of which ([\d.]+ \w+) is free", text)
    numbers = []
    if requested:
        amount, unit = requested.groups()
        size = f"{int(amount) / 2**30:.2f} GiB" if unit == "bytes" else f"{amount} {unit}"
        numbers.append(f"{size} were requested")
    if free:
        numbers.append(f"{free[1]} are free")
    is_scoring = SCORING in getattr(error, "__notes__", ())
    keys = MEMORY_KEYS.get("predict" if is_scoring else stage or "")
    remedy = f"set {keys} lower" if keys else "take fewer rows (data.limit), or free some memory"
    where = "CUDA out of memory" if _on_gpu(error) else "out of memory"
    return f"{': '.join(filter(None, (where, ', '.join(numbers))))}; {remedy}"
