"""Rows a second of the synthetic corpora's generators:  python bench/generators.py"""

import itertools
import random
import statistics
import time

from finetune.data.sources import GENERATORS

ROWS, REPEATS = 10_000, 5


def main() -> None:
    """Print the median and the range of some repeats, each from a seed of its own."""
    for name, rows in GENERATORS.items():
        rates = []
        for seed in range(REPEATS):
            started = time.perf_counter()
            for _ in itertools.islice(rows(random.Random(seed)), ROWS):
                pass
            rates.append(ROWS / (time.perf_counter() - started))
        print(
            f"{name:10} {statistics.median(rates):8,.0f} rows/s "
            f"({min(rates):,.0f} to {max(rates):,.0f})"
        )


if __name__ == "__main__":
    main()
