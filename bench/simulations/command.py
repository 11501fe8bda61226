"""`python bench/statistics.py`: which tables, and from how many draws."""

import argparse
import time
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from simulations import choosing, coverage, drifting, rating, shipping, testing
from simulations.tables import Table

# For each table its function and how many draws stand behind each of its figures.
TABLES: dict[str, tuple[Callable[[int, np.random.Generator], Table], int]] = {
    "verdict": (testing.verdict, 3000),
    "coverage": (coverage.coverage, 500),
    "multiple": (testing.multiple_tests, 2000),
    "few_rows": (testing.few_rows, 3000),
    "clusters": (testing.clusters, 3000),
    "detectable": (testing.detectable, 3000),
    "winner": (choosing.winner, 500),
    "ship": (shipping.ship_table, 100),
    "ratings": (rating.ratings, 2000),
    "drift": (drifting.alarms, 400),
}
SEED = 17


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables as Markdown; the same seed gives the same figures, whichever are printed."""
    parser = argparse.ArgumentParser(description="How often verdicts err and intervals hold.")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--draws", type=int, help="behind each figure; else a number per table")
    options = parser.parse_args(arguments)
    for name in options.only:
        simulate, usual = TABLES[name]
        draws = options.draws or usual
        started = time.perf_counter()
        table = simulate(draws, np.random.default_rng([SEED, zlib.crc32(name.encode())]))
        seconds = time.perf_counter() - started
        print(f"### {name}\n\n{table.simulated} {draws:,} draws; ± is their standard error.\n")
        print(f"{table.markdown()}\n\n<!-- {seconds:.0f} s -->\n", flush=True)
