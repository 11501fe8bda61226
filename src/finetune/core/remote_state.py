"""Copies of run states in the storage of DVC's default remote, for a machine that may vanish.

`run.push_state` turns them on. They lie under `runstate/` beside DVC's own files, and hold what the
run state holds: checkpoints or answers, no credentials. A copy that fails warns once, and never
ends a run.

Once a stage has ended well its copy is removed, unless `run.push_state` is `until_pushed`. What the
stage gave is in no remote then: a machine that vanishes in `predict` would take the trained adapter
with it. So the copy is left there, for the next machine to resume from at its end, until
`finetune push` has seen that the whole experiment has arrived.
"""

import logging
import os
from pathlib import Path
from typing import Any

from finetune.core.errors import squeezed
from finetune.core.files import replaced_folder

log = logging.getLogger(__name__)

FOLDER = "runstate"
# A file beside the run state, which is gone: its copy is still there, for the experiment that the
# file names (none in `dvc repro`).
KEPT = ".kept"
# Sorted last in its folder: what has one is complete.
MANIFEST = "manifest.json"


def kept(root: Path, experiment: str) -> "list[RemoteState]":
    """The copies that stages of an experiment have left, of run states below `root`."""
    notes = sorted(root.glob(f"*{KEPT}"))
    of_it = [note for note in notes if note.read_text(encoding="utf-8") in ("", experiment)]
    return [RemoteState(note.with_suffix("")) for note in of_it]


class RemoteState:
    """The copy of a run state; `state` is the local folder, whose name the copy has.

    is_kept: it outlives the stage, until `remove`.
    """

    def __init__(self, state: Path, is_kept: bool = False) -> None:
        self.state, self.is_kept = state, is_kept
        self._pushed: dict[str, tuple[int, int]] = {}
        self._has_warned = False
        self._fs: Any = None
        self._path = ""

    def push(self) -> None:
        """Copy the files that are new or changed, then remove those of its own that are gone.

        Others may be all that a run elsewhere has left, further on than this one.
        """
        try:
            fs = self._open()
            here = self._files()
            for name, stamp in here.items():
                if self._pushed.get(name) != stamp:
                    target = self._at(name)
                    fs.makedirs(fs.parent(target))
                    fs.put_file(str(self.state / name), target)
                    self._pushed[name] = stamp
            there = self._there()
            gone = [name for name in self._pushed if name not in here]
            for name in sorted(gone, key=lambda name: not name.endswith(MANIFEST)):
                if name in there:
                    fs.rm_file(self._at(name))
                self._pushed.pop(name, None)
        except Exception as error:  # of any client of any storage
            self._warn("could not be copied to", error)

    def pull(self) -> None:
        """Fetch the copy, if there is one and no local state."""
        if self.state.exists():
            return
        try:
            fs = self._open()
            names = self._there()
            if not names:
                return
            with replaced_folder(self.state) as folder:
                for name in names:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    fs.get_file(self._at(name), str(folder / name))
            self._pushed = self._files()
        except Exception as error:
            self._warn("could not be fetched from", error)
        else:
            log.info(f"{self.state.name}: fetched from the DVC remote, where another run left it")

    def end(self) -> None:
        """Remove the copy of a stage that has ended well, or note that it is kept as it is now."""
        if self.is_kept:
            self.push()
            self._note.write_text(os.environ.get("DVC_EXP_NAME", ""), encoding="utf-8")
        else:
            self.remove()

    def remove(self) -> None:
        """Remove the copy, of a run that is done."""
        try:
            fs = self._open()
            if self._there():
                fs.rm(self._path, recursive=True)
            self._note.unlink(missing_ok=True)
        except Exception as error:
            self._warn("could not be removed from", error)

    @property
    def _note(self) -> Path:
        return self.state.with_suffix(KEPT)

    def _open(self) -> Any:
        """The file system of the default remote.

        Raises:
            LookupError: there is none.
        """
        if self._fs is None:
            from dvc.config import Config  # takes a second to import
            from dvc.fs import get_cloud_fs

            config = Config(str(self.state.resolve().parent.parent / ".dvc"))
            remote = config["core"].get("remote")
            if not remote:
                raise LookupError("no default remote: `dvc remote add --default NAME URL`")
            kind, settings, path = get_cloud_fs(config, name=remote)
            fs = kind(**settings)
            self._path = fs.join(path, FOLDER, self.state.name)
            self._fs = fs
        return self._fs

    def _at(self, name: str) -> str:
        return str(self._fs.join(self._path, *name.split("/")))

    def _files(self) -> dict[str, tuple[int, int]]:
        """Size and time of each local file by its name; manifests after what they are of."""
        files = [file for file in self.state.rglob("*") if file.is_file()]
        names = {file.relative_to(self.state).as_posix(): file.stat() for file in files}
        order = sorted(names, key=lambda name: (name.endswith(MANIFEST), name))
        return {name: (names[name].st_size, names[name].st_mtime_ns) for name in order}

    def _there(self) -> list[str]:
        """The names of the files of the copy."""
        fs = self._fs
        if not fs.exists(self._path):
            return []
        parts = len(fs.parts(self._path))
        return ["/".join(fs.parts(found)[parts:]) for found in fs.find(self._path)]

    def _warn(self, what: str, error: Exception) -> None:
        if not self._has_warned:
            log.warning(
                f"run.push_state: {self.state.name} {what} the DVC remote "
                f"({squeezed(error) or type(error).__name__:.200}); the run goes on without"
            )
        self._has_warned = True
