"""Seconds and primary score of a task's baselines:  python bench/baselines.py [TASK]"""

import sys
import time
from pathlib import Path

from tabulate import tabulate

from finetune.core import params, paths
from finetune.core.files import read_jsonl
from finetune.tasks import registry


def main() -> None:
    """Print a row for each baseline; the first of a library also pays for importing it."""
    name = sys.argv[1] if len(sys.argv) > 1 else "price"
    task = params.read(Path("params.yaml")).tasks[name]
    scores = registry.scores(task.kind)
    primary = scores.METRICS[0]
    splits = {s: read_jsonl(paths.prepared(name) / f"{s}.jsonl") for s in paths.SPLITS}
    measured = []
    for baseline in registry.baselines(task.kind).BASELINES:
        started = time.perf_counter()
        answers = baseline.fit(splits, task.score)(splits["test"])
        seconds = time.perf_counter() - started
        scored = scores.score(
            splits["test"], [{"prediction": p} for p in answers.predictions], task.score
        )
        target = answers.remarks.get("target", "")
        measured.append([baseline.name, target, primary.score(scored), seconds])
    print(f"{name}: {', '.join(f'{len(rows)} {split}' for split, rows in splits.items())} rows")
    headers = ["baseline", "fitted on", primary.heading, "seconds"]
    print(tabulate(measured, headers, floatfmt=".2f"))


if __name__ == "__main__":
    main()
