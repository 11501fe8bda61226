"""`finetune check`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from finetune.checks import forms, kinds, lockfile, parameters, readme, shelf, stages
from finetune.core.errors import explained

CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "params.yaml is the composition of conf/, and every config file composes": parameters.problems,
    "stages declare what their code imports and reads": stages.problems,
    "nothing outside a kind's folder asks for its name": kinds.problems,
    "dvc.lock and metrics/ belong to this code and these parameters": lockfile.problems,
    "exported, served and hosted forms on record are of this adapter": forms.problems,
    "README.md shows the metrics of metrics/": readme.problems,
    "results/README.md shows what is shelved, without text of the data": shelf.problems,
}


def run(root: Path, _: argparse.Namespace) -> int:
    """Check that params.yaml, dvc.yaml, dvc.lock and README.md are consistent; exit 1 if not."""
    failed = False
    for title, check in CHECKS.items():
        try:
            problems = check(root)
        except Exception as error:  # of a file that it cannot read: the other checks go on
            said = explained(error)
            if said is None:
                raise
            problems = [said]
        failed |= bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {title}")
        for line in problems:
            print(f"     {line}")
    return int(failed)
