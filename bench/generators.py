"""Rows a second of the generators of synthetic rows:  python bench/generators.py [NAME …]"""

import importlib
import itertools
import random
import statistics
import sys
import time

ROWS, REPEATS = 10_000, 5


def main() -> None:
    """Print the median and the range of some repeats, each from a seed of its own."""
    for name in sys.argv[1:] or ("dialogues", "products"):
        rows = importlib.import_module(f"synthetic.rows.{name}").rows
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
