import re

import matplotlib as mpl
import numpy as np
import pytest

from finetune.reporting import canvas


def drawn(name: str = "n", title: str = "t", label: str = "a label") -> str:
    """A panel with a line, a marker, a legend and titles."""
    with canvas.panel() as (figure, axes):
        axes.plot([0, 1, 2], [0.5, 1.5, 1.0], color=canvas.colour("tuned"), marker="o")
        axes.axvline(1, color=canvas.colour("few_shot"))
        canvas.ticks(axes, False, False)
        canvas.key(figure, ["tuned", label], ["tuned", "baseline"])
        canvas.axis_titles(figure, axes, "steps", "loss")
        return canvas.svg(figure, name, title)


def test_every_colour_has_a_placeholder_of_its_own():
    placeholders = {canvas.colour(name) for name in canvas.COLOURS}
    assert len(placeholders) == len(canvas.COLOURS)
    assert all(re.fullmatch("#[0-9a-f]{6}", each) for each in placeholders)
    with pytest.raises(ValueError, match="not in tuple"):
        canvas.colour("chartreuse")


def test_every_marker_and_label_is_of_a_known_colour():
    assert set(canvas.MARKERS) | set(canvas.LABELS) <= set(canvas.COLOURS)
    assert set(canvas.LABELS) <= set(canvas.MARKERS)


def test_placeholders_become_css_variables():
    svg = drawn()
    assert "stroke: var(--tuned)" in svg
    assert "fill: var(--muted)" in svg
    assert "var(--few-shot)" in svg  # CSS names have hyphens
    assert not re.search("#[0-9a-f]{6}", svg)


def test_text_that_looks_like_a_placeholder_stays():
    assert "fill: #0a0b04" in drawn(label="fill: #0a0b04")


def test_equal_figures_give_equal_bytes_and_names_keep_ids_apart():
    assert drawn() == drawn()
    one, other = (set(re.findall(r'\bid="([^"]+)"', drawn(name))) for name in ("one", "other"))
    assert one
    assert not one & other


@pytest.mark.parametrize("name", ["n", "price-loss"])
def test_references_lead_to_ids_of_the_same_figure(name):
    svg = drawn(name)
    references = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert references
    assert references <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_an_svg_has_the_size_of_its_figure_and_a_title_for_screen_readers():
    svg = drawn(title="loss & <steps>")
    width, height = canvas.PANEL
    assert svg.startswith(f'<svg id="n" viewBox="0 0 {width} {height}"')
    assert 'role="img"' in svg
    assert 'aria-label="loss &amp; &lt;steps&gt;"' in svg


def test_settings_of_matplotlib_are_restored():
    before = mpl.rcParams["svg.fonttype"]
    with canvas.blank((100, 100)):
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert mpl.rcParams["svg.fonttype"] == before


def test_axes_lie_where_the_box_says():
    with canvas.blank((200, 100)) as figure:
        box = canvas.axes_between(figure, (20, 10, 180, 60)).get_position()
    assert (200 * box.x0, 200 * box.x1) == pytest.approx((20, 180))
    assert (100 * (1 - box.y1), 100 * (1 - box.y0)) == pytest.approx((10, 60))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1, 10, [1, 2, 3, 5, 10]),
        (1, 2, [1, 1.5, 2]),
        (10, 1000, [10, 30, 100, 300, 1000]),
        (1, 10_000, [1, 10, 100, 1000, 10_000]),
    ],
)
def test_ticks_of_logarithmic_axes_are_round(low, high, ticks):
    assert canvas.log_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("low", [1e-6, 0.02, 0.9, 1, 37, 5e4])
@pytest.mark.parametrize("ratio", [1.5, 4, 30, 1e3, 1e9])
def test_ticks_of_logarithmic_axes_are_few_and_within_its_ends(low, ratio):
    ticks = canvas.log_ticks(low, low * ratio)
    assert len(ticks) <= 5
    assert ticks == sorted(ticks)
    assert all(low <= tick <= low * ratio for tick in ticks)


def test_ticks_of_linear_axes_are_few_and_short():
    with canvas.panel() as (_, axes):
        axes.set_xlim(0, 2e6)
        axes.set_ylim(0, 0.3)
        canvas.ticks(axes, False, False)
        assert len(axes.get_xticks()) <= 7
        axes.figure.canvas.draw()
        labels = [label.get_text() for label in axes.get_yticklabels()]
    assert "0" in labels
    assert all(len(label) <= 4 for label in labels)


@pytest.mark.parametrize(
    ("values", "is_log"),
    [
        ([1, 2, 3], False),
        ([1, 1, 1, 1000], True),
        ([1, 1, 1, 49], False),
        ([-1, 1, 1, 1000], False),  # no logarithm of a negative value
        ([0, 0, 0], False),
        ([], False),
    ],
)
def test_the_scale_follows_from_the_ratio_to_the_median(values, is_log):
    with canvas.panel() as (_, axes):
        assert canvas.scale_x(axes, values) == is_log
        assert axes.get_xscale() == ("log" if is_log else "linear")
        low, high = axes.get_xlim()
    assert low < high
    assert all(low <= value <= high for value in values)
    assert is_log or low <= 0


def test_ticks_of_steps_hold_the_required_ones_and_are_apart():
    with canvas.panel() as (_, axes):
        axes.set_xlim(-5, 103)
        canvas.step_ticks(axes, [37, 97])
        ticks = axes.get_xticks()
    assert {37, 97} <= set(ticks)
    assert len(ticks) > 2
    assert min(np.diff(ticks)) > 108 / 8
    assert min(ticks) >= 0


def test_models_are_marked_and_other_series_dashed():
    with canvas.panel() as (figure, _):
        canvas.key(figure, ["tuned", "train", "kept"], ["tuned", "baseline", "muted"])
        tuned, train, kept = figure.artists
        assert tuned.get_marker() == canvas.MARKERS["tuned"]
        assert train.get_linestyle() == "-"
        assert kept.get_linestyle() != "-"


def test_an_empty_text_draws_nothing():
    with canvas.blank((100, 100)) as figure:
        canvas.text_at(figure, 1, 1, "")
        assert not figure.texts
        canvas.text_at(figure, 10, 30, "x", color="red")
    assert figure.texts[0].get_position() == pytest.approx((0.1, 0.7))
