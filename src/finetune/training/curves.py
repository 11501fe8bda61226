"""Training curves, written by DVCLive: a TSV file each, with the optimizer step as `step`.

Those of `QUALITY` say how training went, and are in Git; those of `HARDWARE` what the machine did
meanwhile, and are not.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvclive import Live

from finetune.core.files import replaced_folder

# The Trainer's name of a value → the curve's name.
QUALITY = {
    "loss": "train_loss",
    "eval_loss": "validation_loss",
    "eval_score": "validation_score",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
}
HARDWARE = {
    name: name
    for name in (
        "tokens_per_second", "memory_gb", "gpu_utilization_percent", "gpu_power_watts", "usd",
    )
}  # fmt: skip
# A folder of curves, and which of a run's values are in it.
Folders = Mapping[Path, Mapping[str, str]]


class Writer:
    """Adds the entries of a Trainer's log to the curves in some folders."""

    def __init__(self, live: Live, folders: Folders) -> None:
        self.live, self.has_begun = live, False
        # DVCLive names a curve by its path below a folder of its own, in which these are links.
        metrics = Path(live.plots_dir) / "metrics"
        metrics.mkdir(parents=True)
        self.folders = {str(number): folder for number, folder in enumerate(folders)}
        self.names = dict(zip(self.folders, folders.values(), strict=True))
        for link, folder in self.folders.items():
            (metrics / link).symlink_to(folder.resolve(), target_is_directory=True)

    def begin(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Begin anew with a log: on resume that of the checkpoint, which ends at its step."""
        self.has_begun = True
        for folder in self.folders.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for entry in history:
            self.add(entry)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add a point to each curve that an entry has a value of."""
        self.live.step = entry["step"]
        for link, names in self.names.items():
            for name, curve in names.items():
                if name in entry:
                    self.live.log_metric(f"{link}/{curve}", entry[name])


@contextlib.contextmanager
def writing(folders: Folders) -> Iterator[Writer]:
    """A writer of curves that anybody may watch grow.

    If the context ends with an error, they are removed: they are of no complete run.
    """
    with (
        tempfile.TemporaryDirectory() as temporary,
        # Without dvcyaml=None DVCLive rewrites the project's dvc.yaml in the middle of `dvc repro`.
        Live(temporary, dvcyaml=None, save_dvc_exp=False) as live,
    ):
        writer = Writer(live, folders)
        try:
            yield writer
        except BaseException:
            for folder in folders if writer.has_begun else ():
                shutil.rmtree(folder, ignore_errors=True)
            raise


def write(history: Sequence[Mapping[str, Any]], folders: Folders) -> None:
    """Write the curves of a run's whole log, in place of what was written while it ran.

    The log is part of the checkpoints, so that of a resumed run has each step once; what a killed
    run logged after its last checkpoint is not in it.
    """
    with contextlib.ExitStack() as stack:
        new = {
            stack.enter_context(replaced_folder(folder)): names for folder, names in folders.items()
        }
        with writing(new) as writer:
            for entry in history:
                writer.add(entry)
