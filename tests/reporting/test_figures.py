import re
from xml.etree import ElementTree

import numpy as np
import pytest

from finetune.reporting import canvas, dots, figures
from finetune.reporting.dots import Line, Mark

PAIRS = [(10.0, 12.0), (100.0, 90.0), (0.0, 5e6)]


def line(label: str, score: float, role: str = "baseline", **more: object) -> Line:
    return Line(label, "a note", f"{score}", (Mark(role, score, score, score),), **more)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("xlink:href", "href"))


def words(svg: str) -> list[str]:
    """All that is written on a figure."""
    return [text.text or "" for text in parsed(svg).iter("text")]


def drawings() -> dict[str, str]:
    """One of each kind."""
    lines = [line("a", 1.0), line("b", 3.0, "tuned"), line("c", 2.0, "published", apart=True)]
    series = {"tuned": [1.0, 2.0, 2.0], "base model": [3.0]}
    return {
        "dots": dots.dots("n", "t", lines, "x", dots.WIDE, "apart"),
        "narrow": dots.dots("n", "t", lines, "x", dots.NARROW, "apart"),
        "histogram": figures.histogram("n", "t", series, "x"),
        "scatter": figures.scatter("n", "t", PAIRS, "tuned", (1.0, 200.0), "INR"),
        "coverage": figures.coverage("n", "t", {"tuned": [(0.1, 0.2), (0.5, 0.5), (0.8, 0.9)]}),
        "losses": figures.losses("n", "t", [(1, 9.0), (2, 1.0)], [(1, 3.0), (2, 2.0)], 2),
        "line": figures.line("n", "t", [(1, 0.1), (2, 0.2)], "rate"),
    }


@pytest.mark.parametrize("name", drawings())
def test_a_drawing_is_repeatable_and_of_the_pages_colours_fonts_and_ids(name):
    svg = drawings()[name]
    assert svg == drawings()[name]
    element = parsed(svg)
    assert element.get("role") == "img"
    assert element.get("aria-label") == "t"
    assert element.findall(".//text")
    assert "var(--" in svg
    assert not re.search("#[0-9a-f]{6}", svg)
    assert "font-family" not in svg
    assert all(i == "n" or i.startswith("n-") for i in re.findall(r'\bid="([^"]+)"', svg))


def test_labels_are_text_whatever_they_hold():
    label = "$5 & <b>#0a0b01 .12345 日本</b>"
    svg = dots.dots("n", '"quoted" <t>', [line(label, 1.0)], "x", dots.WIDE)
    assert "$5 &amp; &lt;b&gt;#0a0b01 .12345" in svg
    assert 'aria-label="&#34;quoted&#34; &lt;t&gt;"' in svg


@pytest.mark.parametrize("note", ["short", "a note of more than a few characters"])
def test_a_mark_beneath_its_label_is_nearer_to_it_than_to_the_next(note):
    lines = [Line(label, note, "", (Mark("baseline", 1.0, 1.0, 1.0),)) for label in "abc"]
    svg = parsed(dots.dots("n", "t", lines, "the axis", dots.NARROW))
    marks = sorted(float(mark.get("y")) for mark in svg.iter("use"))
    texts = [t for t in svg.iter("text") if t.get("x") == "0" and t.get("y")]
    labels = [next(float(t.get("y")) for t in texts if t.text.split(" ·")[0] == x) for x in "abc"]
    own = [max(float(t.get("y")) for t in texts if float(t.get("y")) < mark) for mark in marks]
    for mark, above, following in zip(marks[:-1], own[:-1], labels[1:], strict=True):
        height = 13  # of the next label, whose place is its base line
        assert 5 < mark - above < (following - height - mark) / 1.5


def test_values_that_lie_far_apart_get_a_logarithmic_axis():
    lines = [line(str(value), value) for value in (1.0, 2.0, 3.0, 4e6)]
    assert "x, log axis" in dots.dots("n", "t", lines, "x", dots.WIDE)
    assert "log axis" not in dots.dots("n", "t", lines[:3], "x", dots.WIDE)


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [5.0, 5.0], [-2.0, 3.0]])
def test_values_without_a_spread_are_drawn_too(values):
    lines = [line(str(value), value) for value in values]
    assert dots.dots("n", "t", lines, "x", dots.NARROW)
    assert figures.histogram("n", "t", {"tuned": values}, "x")
    assert figures.histogram("n", "t", {"tuned": [abs(v) for v in values]}, "x", log=True)
    assert figures.losses("n", "t", [(1, values[0])], [], None)


def test_bins_of_whole_numbers_hold_equally_many_of_them():
    edges = figures._edges(np.array([3.0, 50.0]), log=False, limits=None)
    widths = set(np.diff(edges))
    assert len(widths) == 1
    assert widths.pop() % 1 == 0
    assert edges[0] < 3 < 50 < edges[-1]


@pytest.mark.parametrize(("low", "high"), [(1, 1000), (0.9, 18), (2.4, 3.1), (1, 1e12), (5, 7)])
def test_a_logarithmic_axis_has_a_few_round_ticks(low, high):
    ticks = canvas.log_ticks(low, high)
    assert 1 <= len(ticks) <= 5
    assert all(low <= tick <= high for tick in ticks)


def test_losses_below_zero_are_drawn():
    shown = words(figures.losses("n", "t", [(1, 1.9), (2, 0.2), (3, -0.6)], [], None))
    assert "0" in shown  # which no logarithmic axis has


def test_the_kept_step_and_the_last_can_be_read_off():
    curve = [(step, 10.0 / step) for step in range(1, 76)]
    assert {"0", "20", "75"} <= set(words(figures.line("n", "t", curve, "rate")))
    assert {"57", "75"} <= set(words(figures.losses("n", "t", curve, [], 57)))
    # Where they are neighbours, the kept one is read off.
    shown = words(figures.losses("n", "t", curve, [], 73))
    assert "73" in shown
    assert "75" not in shown


def test_every_axis_says_what_it_is_of_and_where_it_ends():
    assert {"optimizer step", "rate"} <= set(words(drawings()["line"]))
    assert words(drawings()["coverage"]).count("100") == 2


@pytest.mark.parametrize(
    ("width", "shown"), [(dots.WIDE, 703), (dots.NARROW, 286), (canvas.PANEL[0], 286)]
)
def test_text_is_legible_where_the_page_draws_it_smallest(width, shown):
    """`shown` are pixels: on a tablet of 768, and on a phone of 320."""
    svg = dots.dots("n", "t", [line("a", 1.0)], "x", width)
    smallest = min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", svg))
    assert smallest * shown / width >= (11 if shown > 320 else 10)
