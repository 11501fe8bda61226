"""bench/data.py: what its rows are like."""

import importlib.util
import itertools
import sys
from pathlib import Path

from finetune.data.words import jaccard, shingles

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "bench"))
spec = importlib.util.spec_from_file_location("bench_data", ROOT / "bench/data.py")
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)


def test_rows_are_as_long_as_real_ones_and_some_repeat_others():
    made = list(bench.rows(1000))
    texts = [row["text"] for row in made]
    assert 115 < sum(len(text.split()) for text in texts) / 1000 < 140
    assert 5 <= 1000 - len(set(texts)) <= 40
    assert len({row["id"] for row in made}) == 1000
    # Rows that were edited have as many words as another one, and nearly the same.
    of_beginning = {}
    near = 0
    for text in dict.fromkeys(texts):
        known = of_beginning.setdefault(text[:20], [])
        near += any(jaccard(shingles(text, 3), shingles(other, 3)) > 0.8 for other in known)
        known.append(text)
    assert 10 <= near <= 50


def test_fewer_rows_are_the_first_of_more():
    assert list(bench.rows(50)) == list(itertools.islice(bench.rows(200), 50))


def test_a_stage_that_fails_stands_in_the_table():
    assert bench._table_row("fetch", 10, {"failed": "exit code 2"}) == [10, "fetch", "exit code 2"]
    run = {"seconds": 2.0, "cpu": 3.0, "peak": 10**9, "tree": 2 * 10**9}
    assert bench._table_row("fetch", 10, run) == [10, "fetch", "2.0", "3.0", "5", 1.0, 2.0]
