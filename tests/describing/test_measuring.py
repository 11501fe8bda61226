from collections import Counter

import numpy as np
import pytest

from finetune.describing import measuring
from finetune.describing.kind_card import Grouping, KindCard, Measure
from finetune.tasks.classification.rows import Row

KIND = KindCard(
    measures=(Measure(title="vowels", of=lambda row: row.text.count("e") or None),),
    groupings=(Grouping(title="label", of=lambda row: [row.label]),),
)


def rows(*texts: str) -> list[Row]:
    return [Row(id=f"{n}", text=text, label="ab"[n % 2]) for n, text in enumerate(texts)]


def test_a_split_is_measured_row_by_row():
    texts = ("the tree <file_gif> <file_gif>", "one two", "is <Gif> or <b1>")
    measured = measuring.measure(rows(*texts), KIND, sample=2, seed=0)
    assert measured.rows == 3
    assert measured.lengths["input_words"].tolist() == [4, 2, 4]
    assert measured.lengths["input_characters"].tolist() == [len(text) for text in texts]
    assert measured.lengths["target_words"].tolist() == [1, 1, 1]
    assert measured.measures["vowels"][:2].tolist() == [5, 1]
    assert np.isnan(measured.measures["vowels"][2])
    assert measured.groups["label"] == {"a": 2, "b": 1}
    assert measured.placeholders == {"<file_gif>": 1}
    assert len(measured.sample) == 2


def test_a_sample_is_seeded_and_in_the_order_of_the_rows():
    many = rows(*map(str, range(200)))
    one, again, other = (
        [row.id for row in measuring.measure(many, KIND, 20, seed).sample] for seed in (1, 1, 2)
    )
    assert one == again != other
    assert one == sorted(one, key=int)
    assert len(measuring.measure(many[:5], KIND, 20, 1).sample) == 5


def test_quantiles_leave_out_what_is_missing():
    values = np.array([np.nan, 1.0, 2.0, 6.0])
    assert measuring.quantiles(values) == {
        "mean": 3.0, "median": 2.0, "p95": 5.6, "min": 1.0, "max": 6.0,
    }  # fmt: skip
    assert measuring.quantiles(np.array([np.nan])) == {}


@pytest.mark.parametrize(
    ("values", "first", "last"),
    [
        ([2, 2, 3, 5], [2, 2], [5, 5]),  # whole numbers of a small range: a bin each
        (list(range(100)), [0, 8], [99, 107]),
        ([-1.5, 0.0, 1.5], [-1.5, -1.25], [1.25, 1.5]),
        ([7.25], [7.25, 7.25], [7.25, 7.25]),
        ([3], [3, 3], [3, 3]),
    ],
)
def test_bins_hold_every_value_once(values, first, last):
    splits = {"train": np.array(values, float), "test": np.array([np.nan, values[0]])}
    histogram = measuring.histogram(splits)
    assert (histogram["bins"][0], histogram["bins"][-1]) == (first, last)
    assert sum(histogram["counts"]["train"]) == len(values)
    assert sum(histogram["counts"]["test"]) == 1


def test_bins_of_skewed_values_grow():
    prices = np.exp(np.random.default_rng(0).normal(3, 1.5, 500))
    histogram = measuring.histogram({"train": prices})
    widths = [high - low for low, high in histogram["bins"]]
    assert widths == sorted(widths)
    assert sum(histogram["counts"]["train"]) == 500
    assert measuring.histogram({"train": np.array([np.nan])}) == {}


def test_small_groups_are_one():
    splits = {"train": Counter({"a": 50, "b": 49, "c": 1}), "test": Counter({"d": 1})}
    assert measuring.listed(splits, 0.1) == {
        "a": {"train": 50, "test": 0},
        "b": {"train": 49, "test": 0},
        "2 others": {"train": 1, "test": 1},
    }
    many = {"train": Counter({f"g{n:02}": 1 for n in range(40)})}
    assert list(measuring.listed(many))[-2:] == ["g29", "10 others"]


def test_placeholders_of_few_rows_are_not_listed():
    splits = {"train": Counter({"<file_gif>": 4, "<ann>": 4}), "test": Counter({"<file_gif>": 1})}
    assert measuring.known_placeholders(splits) == {"<file_gif>": {"train": 4, "test": 1}}


def test_groups_of_few_rows_have_no_name():
    splits = {"train": Counter({"tools": 6, "Jane's own lamp": 1}), "test": Counter({"a b": 4})}
    table = measuring.known_groups(splits)
    assert table["tools"] == {"train": 6, "test": 0}
    assert table["2 of fewer than 5 rows"] == {"train": 1, "test": 4}
    assert len(table) == 2


def test_one_value_is_one_bin():
    counted = measuring.histogram({"train": np.array([9.99, 9.99])})
    assert counted == {"bins": [[9.99, 9.99]], "counts": {"train": [2]}}
