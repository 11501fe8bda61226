"""The canvas of the report's figures: matplotlib axes, converted to inline SVG.

The unit of length is a CSS pixel. Colours are drawn as placeholders and replaced by the page's CSS
variables, so that figures follow dark mode; fonts are inherited from the page. Text remains text,
and equal figures give equal bytes.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np
from markupsafe import Markup, escape

from finetune.scoring.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The page's CSS variables; a colour's placeholder encodes its index in this tuple.
COLOURS = (
    "card", "ink", "muted", "line", "tuned", "base", "few_shot", "baseline", "oracle", "published",
)  # fmt: skip
# Colours alone do not distinguish models for colour-blind readers.
MARKERS = {
    "tuned": "o",
    "base": "s",
    "few_shot": "^",
    "baseline": "o",
    "oracle": "D",
    "published": "X",
}
LABELS = {"tuned": "tuned", "base": "base model"}
DASHES = (0, (3, 1.5))
PANEL = (340, 290)
SQUARE = (PANEL[0], PANEL[0])
# Ratio of the largest to the median value above which an axis is logarithmic.
WIDE_RATIO = 50


class TextStyle(TypedDict, total=False):
    """Properties of text as matplotlib names them; `size` in pixels."""

    color: str
    size: float
    weight: str
    style: str
    ha: str


def colour(name: str) -> str:
    """The placeholder colour `#0a0bNN` of a CSS variable, which `svg` replaces.

    Raises:
        ValueError: `name` is not one of `COLOURS`.
    """
    return f"#0a0b{COLOURS.index(name):02x}"


@contextmanager
def blank(size: tuple[int, int]) -> Iterator["Figure"]:
    """A figure of (width, height) in pixels; matplotlib is configured within the block."""
    # Imported here: it takes half a second, and the report's sentences do not need it.
    import matplotlib
    from matplotlib.figure import Figure

    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "finetune",
        "text.parse_math": False,  # a $ in a label is a dollar
        "axes.unicode_minus": True,
        "font.size": 12,
        "path.simplify": True,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The page's fonts render the text: glyphs missing in matplotlib's do not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72)
        figure.patch.set_visible(False)
        yield figure


@contextmanager
def panel(size: tuple[int, int] = PANEL, left: int = 52) -> Iterator[tuple["Figure", "Axes"]]:
    """A figure with one pair of axes and a grid; `left` pixels are left for the title of y."""
    with blank(size) as figure:
        axes = axes_between(figure, (left, 34, size[0] - 14, size[1] - 46))
        axes.grid(axis="y", color=colour("line"), lw=1)
        yield figure, axes


def axes_between(figure: "Figure", box: tuple[float, float, float, float]) -> "Axes":
    """Axes within `box` = (left, top, right, bottom), in pixels from the figure's top left."""
    width, height = figure.get_size_inches() * 72
    left, top, right, bottom = box
    axes = figure.add_axes(
        (left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height)
    )
    axes.patch.set_visible(False)
    axes.grid(axis="x", color=colour("line"), lw=1)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(colour("muted"))
    axes.tick_params(length=0, pad=6, labelcolor=colour("muted"), labelsize=12, which="both")
    return axes


def text_at(figure: "Figure", x: float, y: float, text: str, **style: Unpack[TextStyle]) -> None:
    """Draw text with its baseline at (x, y), in pixels from the top left."""
    if not text:
        return
    width, height = figure.get_size_inches() * 72
    figure.text(x / width, 1 - y / height, text, va="baseline", **style)


def scale_x(axes: "Axes", values: Sequence[float]) -> bool:
    """Set limits and ticks of x: linear from 0, or logarithmic, and then return True.

    Logarithmic if all `values` are at least 0 and their maximum exceeds `WIDE_RATIO` times the
    median of the positive ones.
    """
    positive = [v for v in values if v > 0]
    high = max(values, default=1.0)
    log = bool(positive) and min(values) >= 0 and high > WIDE_RATIO * float(np.median(positive))
    if log:
        axes.set_xscale("log")
        axes.set_xlim(min(positive) / 1.3, high * 1.3)
    else:
        low = min(0.0, min(values, default=0.0))
        axes.set_xlim(low, high + 0.04 * (high - low) if high > low else low + 1)
    ticks(axes, log, False)
    return log


def ticks(axes: "Axes", log_x: bool, log_y: bool) -> None:
    """Set a few round ticks, by `log_ticks` on a logarithmic axis, with short labels."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

    for axis, is_log, ends in (
        (axes.xaxis, log_x, axes.get_xlim()),
        (axes.yaxis, log_y, axes.get_ylim()),
    ):
        if is_log:
            axis.set_major_locator(FixedLocator(log_ticks(*sorted(ends))))
            axis.set_minor_locator(NullLocator())
        elif isinstance(locator := axis.get_major_locator(), MaxNLocator):
            locator.set_params(nbins=5)
        axis.set_major_formatter(lambda value, _: _short(value))


def step_ticks(axes: "Axes", required: Sequence[int]) -> None:
    """Set ticks of optimizer steps on x: the required ones, and round ones between them."""
    from matplotlib.ticker import MaxNLocator

    low, high = axes.get_xlim()
    shown: list[float] = []
    for step in (*required, *MaxNLocator(nbins=5, integer=True).tick_values(low, high)):
        is_free = all(abs(step - other) > (high - low) / 8 for other in shown)
        if is_free and max(low, 0) <= step <= high:
            shown.append(step)
    axes.set_xticks(sorted(shown))


def log_ticks(low: float, high: float) -> list[float]:
    """At most five round numbers within [low, high], both positive, in ascending order."""
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 5:
            return ticks
    return ticks[:: -(-len(ticks) // 5)]


def _short(value: float) -> str:
    return number(value, 0 if value == round(value) else 1 if abs(value) >= 1 else 2)


def key(
    figure: "Figure",
    labels: Sequence[str],
    styles: Sequence[str],
    left: float = 4,
    lines: bool = False,
) -> None:
    """Draw the legend in a row above the axes: models by marker, or with `lines` by line."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches() * 72
    x, y = left, 1 - 12 / height
    for label, style in zip(labels, styles, strict=True):
        if style in LABELS and not lines:
            handle = Line2D([(x + 8) / width], [y], ls="", marker=MARKERS[style], ms=8, mew=0)
        else:
            is_dashed = style == "muted" or (lines and style != "tuned")
            ends = [x / width, (x + 16) / width]
            handle = Line2D(ends, [y, y], ls=DASHES if is_dashed else "-", lw=2)
        handle.set_color(colour(style))
        figure.add_artist(handle)
        text_at(figure, x + 22, 16, label, color=colour("ink"), size=12)
        x += 22 + 6.8 * len(label) + 18


def axis_label(figure: "Figure", axes: "Axes", label: str, ends: tuple[float, float]) -> None:
    """Draw a label below the axes, centred between two x positions in pixels."""
    height = figure.get_size_inches()[1] * 72
    text_at(figure, sum(ends) / 2, height - 6, label, ha="center", color=colour("muted"), size=12)


def axis_titles(figure: "Figure", axes: "Axes", x: str, y: str) -> None:
    """Draw the titles of the axes: that of x below, that of y along the left side."""
    width, height = figure.get_size_inches() * 72
    text_at(figure, width - 14, height - 6, x, ha="right", color=colour("muted"), size=12)
    if y:
        middle = axes.get_position()
        figure.text(
            12 / width, (middle.y0 + middle.y1) / 2, y, rotation=90, ha="center", va="center",
            color=colour("muted"), size=12,
        )  # fmt: skip


def svg(figure: "Figure", name: str, title: str) -> Markup:
    """The figure as an inline SVG element; all ids are prefixed by `name`, unique in the page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    width, height = (round(inches * 72) for inches in figure.get_size_inches())
    body = text.getvalue()
    body = body[
        body.index("</defs>", body.index("<style")) + len("</defs>") : body.rindex("</svg>")
    ]
    body = re.sub(r"<[^>]*>", lambda tag: _tag(tag.group(), name), body)
    label = escape(title)
    return Markup(
        f'<svg id="{name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{label}">{body}</svg>'
    )


def _tag(tag: str, name: str) -> str:
    """A tag with CSS variables, inherited fonts, prefixed ids and short numbers."""
    tag = re.sub(r"(fill|stroke): #0a0b([0-9a-f]{2})", _variable, tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(r"font: ((?:[a-z]+ )*)([\d.]+px) [^;\"]*", _font, tag)
    tag = re.sub(r' transform="rotate\(-?0 [^"]*"', "", tag)
    # Only ids of markers and clipping paths are referenced.
    tag = re.sub(r' id="(?![mp][0-9a-f]{10}")[^"]*"', "", tag)
    tag = re.sub(r'(id="|href="#|url\(#)', rf"\1{name}-", tag)
    return re.sub(r"(?<=\d)(\.\d\d)\d+", r"\1", re.sub(r"\s+", " ", tag))


def _variable(match: re.Match[str]) -> str:
    return f"{match[1]}: var(--{COLOURS[int(match[2], 16)].replace('_', '-')})"


def _font(match: re.Match[str]) -> str:
    """The `font` shorthand as single properties, without families: they are the page's."""
    parts = [f"font-size: {match[2]}"]
    for word in match[1].split():
        parts.append(f"font-{'style' if word in ('italic', 'oblique') else 'weight'}: {word}")
    return "; ".join(parts)
