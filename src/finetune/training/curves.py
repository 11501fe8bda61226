"""Training curves, written by DVCLive: a TSV file each, with the optimizer step as `step`."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvclive import Live

# The Trainer's name of a value → the curve's name.
CURVES = {"loss": "train_loss", "eval_loss": "validation_loss", "learning_rate": "learning_rate"}


def write(history: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write the curves of a run's log history to a folder.

    The history is part of the checkpoints, so that of a resumed run has each step once; what a
    killed run logged after its last checkpoint is not in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        # Without dvcyaml=None DVCLive rewrites the project's dvc.yaml in the middle of `dvc repro`.
        with Live(temporary, dvcyaml=None, save_dvc_exp=False) as live:
            for entry in history:
                live.step = entry["step"]
                for name, curve in CURVES.items():
                    if name in entry:
                        live.log_metric(curve, entry[name])
        for file in sorted(Path(temporary).glob("plots/metrics/*.tsv")):
            shutil.copyfile(file, folder / file.name)
