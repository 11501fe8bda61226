"""Seconds and error of each price rung:  python bench/ladder.py [data/prepared/price]"""

import statistics
import sys
import time
from pathlib import Path
from typing import get_args

from tabulate import tabulate

from finetune.core import params, paths
from finetune.core.files import read_jsonl
from finetune.core.schema import PriceRung
from finetune.tasks.rungs import RUNGS


def main() -> None:
    """Print a row for each rung; the first of a library also pays for importing it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else paths.prepared("price")
    splits = {name: read_jsonl(folder / f"{name}.jsonl") for name in paths.SPLITS}
    options = params.read(Path("params.yaml")).tasks["price"].score
    measured = []
    for name in get_args(PriceRung):
        started = time.perf_counter()
        answers = RUNGS[name](splits, options)
        seconds = time.perf_counter() - started
        pairs = zip(answers.guesses, splits["test"], strict=True)
        error = statistics.fmean(abs(guess - row["price"]) for guess, row in pairs)
        measured.append([name, answers.remarks.get("target", ""), error, seconds])
    print(f"{folder}: {', '.join(f'{len(rows)} {name}' for name, rows in splits.items())} rows")
    print(tabulate(measured, ["rung", "fitted on", "MAE (USD)", "seconds"], floatfmt=".2f"))


if __name__ == "__main__":
    main()
