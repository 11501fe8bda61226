"""Mistakes of a user: told in one line, without a traceback, with exit code 2."""

import contextlib
import errno
import json
import re
import sys
from collections.abc import Iterator

EXIT_CODE = 2
INTERRUPTED = 130  # as a shell has it for SIGINT

# Words of another's message that a line of ours takes over.
MOST_CHARACTERS = 400

# What a person can do about an error of the operating system.
REMEDIES = {
    errno.ENOSPC: "free some disk space, then run the same command again",
    errno.EDQUOT: "free some of your disk quota, then run the same command again",
    errno.EACCES: "see its permissions and owner (`ls -ld`)",
    errno.EPERM: "see its permissions, owner and attributes (`ls -ld`, `lsattr -d`)",
    errno.EROFS: "the file system is mounted read-only",
    errno.EISDIR: "a folder stands where a file belongs: move it away",
    errno.ENOTDIR: "a file stands where a folder belongs: move it away",
    errno.ENOTEMPTY: "something else writes there: end it, then run the same command again",
    errno.ENAMETOOLONG: "shorten the name, or work in a folder with a shorter path",
    errno.ELOOP: "its symbolic links lead to each other: mend them",
    errno.ENOENT: "`dvc repro` makes what the pipeline writes, `dvc pull` fetches it",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.EIO: "the disk fails: see the system's log",
}

# What bounds the memory of a stage.
MEMORY_KEYS = {
    "train": "run.token_budget",
    "base": "run.eval_token_budget and run.cache_gb",
    "evaluate": "run.eval_token_budget and run.cache_gb",
}


# Of torch's message when main memory has no room.
CPU_ALLOCATOR = "DefaultCPUAllocator: can't allocate"


class UserError(Exception):
    """What is wrong, where (file and line, or key), and what to do, in one line."""


class ParamsError(UserError):
    """A parameter that is unknown, of the wrong type or out of range."""


class DataError(UserError):
    """Rows or files that cannot be used as they are."""


class HubError(UserError):
    """The Hugging Face hub cannot be reached, or refuses."""


class FileError(UserError):
    """A file of the pipeline, or of its configuration, that is damaged."""


class ModelError(UserError):
    """A model folder or repository that cannot be loaded."""


@contextlib.contextmanager
def one_line(who: str, stage: str | None = None) -> Iterator[None]:
    """End the process with one line on whatever a user can mend, and on Ctrl-C.

    Other exceptions are mistakes of this code, and go through. `who` opens the line; `stage` is the
    stage that runs, if one does.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(f"{who}: stopped by Ctrl-C; the same command runs it again", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        said = explained(error, stage)
        if said is None:
            raise
        print(" ".join(f"{who}: {said}".splitlines()), file=sys.stderr)
        sys.exit(EXIT_CODE)


def explained(error: Exception, stage: str | None = None) -> str | None:
    """One line on an error that a user can mend; None for one that is a mistake of this code."""
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
            f"a text holds half a character (position {error.start}), which no file can: mend it "
            "in the data"
        )
    if type(error).__name__ == "SafetensorError":  # its package is not imported by every stage
        return f"weights cannot be read or written: {squeezed(error)}; is the disk full?"
    return None


def squeezed(error: BaseException | str) -> str:
    """Another's message on one line, no longer than a line should be."""
    text = " ".join(str(error).split())
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _system(error: OSError) -> str:
    if error.errno is None or error.strerror is None:  # of a library, such as one for the network
        return f"{type(error).__name__}: {squeezed(error)}"
    named = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = " → ".join(name if len(name) <= 200 else f"{name[:200]}…" for name in named)
    remedy = REMEDIES.get(error.errno, "see to it, then run the same command again")
    return f"{where or 'a file'}: {squeezed(error.strerror)}; {remedy}"


def is_out_of_memory(error: Exception) -> bool:
    """CUDA out of memory, or an allocation that main memory had no room for."""
    return isinstance(error, MemoryError) or _on_gpu(error) or CPU_ALLOCATOR in str(error)


def _on_gpu(error: Exception) -> bool:
    return type(error).__name__ == "OutOfMemoryError"  # torch's; not every stage imports torch


def _out_of_memory(error: Exception, stage: str | None) -> str:
    """What was asked for, what is free, and what to set."""
    text = squeezed(error)
    asked = re.search(r"(?:tried to|unable to) allocate ([\d.]+) ?(\w+)", text, re.IGNORECASE)
    free = re.search(r"of which ([\d.]+ \w+) is free", text)
    numbers = []
    if asked:
        amount, unit = asked.groups()
        wanted = f"{int(amount) / 2**30:.2f} GiB" if unit == "bytes" else f"{amount} {unit}"
        numbers.append(f"{wanted} were asked for")
    if free:
        numbers.append(f"{free[1]} are free")
    keys = MEMORY_KEYS.get(stage or "")
    remedy = f"set {keys} lower" if keys else "take fewer rows (data.limit), or free some memory"
    where = "CUDA out of memory" if _on_gpu(error) else "out of memory"
    return f"{': '.join(filter(None, (where, ', '.join(numbers))))}; {remedy}"
