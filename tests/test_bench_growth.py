"""bench/growth.py: points, exponents, table and figure, from costs that are given."""

import math
import sys

import pytest
from doc_pages import ROOT

# Last: other folders have modules of the same names.
sys.path.append(str(ROOT / "bench"))
import growth
from growth import Cost, Point


def test_a_point_on_several_axes_is_measured_once():
    made = growth.points(["ours"], list(growth.VALUES))
    assert len(made) == len(set(made)) == sum(map(len, growth.VALUES.values())) - 2
    assert growth.points(["ours", "courses' loop"], ["r"])[:2] == [
        Point(r=4), Point("courses' loop", r=4),
    ]  # fmt: skip


def test_an_exponent_is_the_slope_of_the_logarithms():
    values = [1, 2, 4, 8]
    assert growth.exponent(values, [3 * value**1.5 for value in values]) == pytest.approx(1.5)
    assert growth.exponent(values, [0, 7, 7, 7]) == pytest.approx(0, abs=1e-9)
    assert math.isnan(growth.exponent([1, 2], [0, 1]))


def test_table_and_figure_show_every_axis(tmp_path):
    costs = {
        point: Cost(point.tokens / 100, 10**9, 10**9 + 10**4 * point.tokens)
        for point in growth.points(["ours", "courses' loop"], list(growth.VALUES))
    }
    text = growth.report(costs, list(growth.VALUES), "a model", 3.0)
    assert "a model, 28 processes in 3.0 minutes" in text
    for way in ("ours", "courses' loop"):
        assert f"{way}, by rank of the adapter:" in text
    length, rows = text.split("ours, by tokens of a row:")[1].split("ours, by rows of a step:")
    for table in (length, rows):
        assert "| exponent" in table
        assert table.count(" 1.00") >= 4
    growth.draw(costs, list(growth.VALUES), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000
