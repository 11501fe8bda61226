import builtins
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from finetune.core import errors
from finetune.core.errors import UserError, explained, one_line


class OutOfMemoryError(RuntimeError):
    """Called like torch's."""


CUDA = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 15.77 GiB of "
    "which 512.19 MiB is free. Process 1 has 15.2 GiB memory in use.\nSee documentation."
)
CPU = (
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 5368709120 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "stage", "said"),
    [
        (UserError("lora.r: is 0"), None, "lora.r: is 0"),
        (
            OutOfMemoryError(CUDA),
            "train",
            "CUDA out of memory: 2.50 GiB were requested, 512.19 MiB are free; set "
            "run.token_budget lower",
        ),
        (
            OutOfMemoryError("CUDA out of memory"),
            "predict",
            "CUDA out of memory; set run.eval_token_budget and run.cache_gb lower",
        ),
        (
            RuntimeError(CPU),
            "base",
            "out of memory: 5.00 GiB were requested; set run.eval_token_budget and run.cache_gb "
            "lower",
        ),
        (
            MemoryError("Unable to allocate 7.45 GiB for an array with shape (1,)"),
            "baselines",
            "out of memory: 7.45 GiB were requested; take fewer rows (data.limit), or free some "
            "memory",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "metrics/x.json"),
            "train",
            "metrics/x.json: No space left on device; free some disk space, then run the same "
            "command again",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "train", "a file: No space left on "),
        (OSError(errno.EIO, os.strerror(errno.EIO), "a", None, "b"), None, "a → b: Input/output "),
        (PermissionError(errno.EPERM, "Operation not permitted", "x"), None, "x: Operation not "),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 999), None, "x" * 200 + "…: File"),
        (ConnectionError("no\nroute"), None, "ConnectionError: no route"),
        (json.JSONDecodeError("Expecting value", "{\n", 2), None, "line 2 of a file is no JSON"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), None, "byte 0 of a file is not UTF-8"),
        (
            UnicodeEncodeError("utf-8", "\ud800", 0, 1, "bad"),
            None,
            "a text holds an unpaired surrogate",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line(error, stage, said):
    line = explained(error, stage)
    assert line.startswith(said)
    assert "\n" not in line
    assert len(line) < 600


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), RuntimeError("x"), AssertionError(), TypeError("x")]
)
def test_a_mistake_of_ours_stays_a_traceback(error):
    assert explained(error) is None
    with pytest.raises(type(error)), one_line("finetune"):
        raise error


def folder(path: Path) -> None:
    path.read_text()


def below_a_file(path: Path) -> None:
    (path / "file").touch()
    (path / "file/x").read_text()


def long_name(path: Path) -> None:
    (path / ("x" * 300)).touch()


def loop(path: Path) -> None:
    (path / "a").symlink_to(path / "b")
    (path / "b").symlink_to(path / "a")
    (path / "a").read_text()


def not_there(path: Path) -> None:
    (path / "x").read_text()


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (folder, "Is a directory; there is a folder where a file is expected"),
        (below_a_file, "Not a directory; there is a file where a folder is expected"),
        (long_name, "File name too long; shorten the name"),
        (loop, "Too many levels of symbolic links; its symbolic links form a loop"),
        (not_there, "No such file or directory; `dvc repro` makes"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_what_to_do(
    tmp_path, capsys, fail: Callable[[Path], None], said
):
    with pytest.raises(SystemExit) as caught, one_line("finetune: fetch@price", "fetch"):
        fail(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2
    assert line.startswith(f"finetune: fetch@price: {tmp_path}")
    assert said in line


def test_ctrl_c_is_one_line_and_its_own_code(capsys):
    with pytest.raises(SystemExit) as caught, one_line("finetune: train@price", "train"):
        raise KeyboardInterrupt
    assert caught.value.code == 130
    assert capsys.readouterr().err == (
        "finetune: train@price: stopped by Ctrl-C; the same command runs it again\n"
    )


def test_a_name_with_line_ends_is_still_one_line(capsys):
    with pytest.raises(SystemExit), one_line("finetune: fetch@a\nb", "fetch"):
        raise UserError("no\nsuch")
    assert capsys.readouterr().err == "finetune: fetch@a b: no such\n"


def test_weights_on_a_full_disk_are_one_line():
    from safetensors import SafetensorError

    said = explained(SafetensorError("Error while serializing: No space left on device"))
    assert said.startswith("weights cannot be read or written: Error while serializing: No space")


def test_no_library_is_imported_to_explain(monkeypatch):
    for name in ("torch", "safetensors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    imported = []
    real = builtins.__import__

    def watched(name: str, *rest: object) -> object:
        imported.append(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", watched)
    errors.explained(OutOfMemoryError(CUDA), "train")
    assert not {"torch", "safetensors"} & set(imported)


def test_what_git_says_of_a_repository_is_one_line(tmp_path):
    command = ["git", "rev-parse", "HEAD"]
    with pytest.raises(subprocess.CalledProcessError) as raised:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    said = explained(raised.value)
    assert said.startswith("`git rev-parse`: fatal: ")
    assert "\n" not in said


def test_another_program_that_fails_is_a_bug_of_ours():
    assert explained(subprocess.CalledProcessError(1, ["nvidia-smi"])) is None


def test_a_repository_of_another_owner_is_told_with_what_to_do():
    class GitError(Exception):
        """Called like pygit2's."""

    said = explained(GitError("path '/x' is not owned by current user"))
    assert "git config --global --add safe.directory" in said


def test_a_folder_that_is_no_repository_is_told_as_such(tmp_path):
    from finetune.comparing import sources

    (tmp_path / ".dvc").mkdir()  # as of a clone whose .git was not copied
    with pytest.raises(UserError, match="is not a git repository; run it in a clone"):
        sources.revision(tmp_path, "HEAD")


def test_memory_that_ran_out_while_rows_were_scored_names_what_scoring_takes():
    error = OutOfMemoryError(CUDA)
    error.add_note(errors.SCORING)
    assert errors.explained(error, "train").endswith(
        "set run.eval_token_budget and run.cache_gb lower"
    )
