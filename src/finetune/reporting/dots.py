"""Dot plots: rows of values with their intervals on a common axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from finetune.reporting import canvas
from finetune.reporting.canvas import TextStyle, colour
from finetune.reporting.examples import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

HOLLOW = ("baseline", "oracle")
# In pixels: widths at which a tablet and a small phone need not shrink text to unreadable sizes.
WIDE, NARROW = 760, canvas.PANEL[0]
# Longer notes, in characters, get a line of their own on a phone.
SHORT_NOTE = 12


@dataclass(frozen=True)
class Mark:
    """A value with the ends of its interval; `role` gives colour and marker."""

    role: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A row of a dot plot; rows that are `apart` follow below the others, under a heading."""

    label: str
    note: str
    value: str
    marks: tuple[Mark, ...]
    is_strong: bool = False
    apart: bool = False


def dots(
    name: str, title: str, lines: Sequence[Line], axis: str, width: int, heading: str = ""
) -> Markup:
    """A dot plot of `width` pixels; below `WIDE`, labels are above their rows, else beside them."""
    is_stacked = width < WIDE
    left, right = (12, 12) if is_stacked else (258, 172)
    has_notes = is_stacked and any(len(line.note) > SHORT_NOTE for line in lines)
    # Pixels from a row's top to its dots; more below them, so that dots are nearest to their label.
    above = (30 if has_notes else 16) + 12
    step = above + 30 if is_stacked else 36
    legend = sorted({m.role for line in lines for m in line.marks}, key=canvas.COLOURS.index)
    has_legend = len(lines) > 0 and any(len(line.marks) > 1 for line in lines)
    top = 30 if has_legend else 6
    places, y = [], top
    is_apart = False
    for line in lines:
        if line.apart and not is_apart:
            is_apart = True
            y += 38
        places.append(y + (above if is_stacked else step / 2))
        y += step
    height = int(y + 52)
    with canvas.blank((width, height)) as figure:
        axes = canvas.axes_between(figure, (left, top, width - right, y + 6))
        axes.set_ylim(y + 6, top)
        axes.set_yticks([])
        is_log = canvas.scale_x(axes, [v for line in lines for m in line.marks for v in _values(m)])
        low = axes.get_xlim()[0]
        for line, place in zip(lines, places, strict=True):
            _row_labels(figure, line, place, width, above if is_stacked else 0)
            axes.axhline(place, color=colour("line"), lw=1, zorder=0)
            shifts = (0,) if len(line.marks) == 1 else (-4, 4)
            for mark, shift in zip(line.marks, shifts, strict=False):
                _mark(axes, mark, place + shift, low if is_log else None)
        if is_apart:
            first = next(i for i, line in enumerate(lines) if line.apart)
            edge = places[first] - (above if is_stacked else step / 2) - 9
            canvas.text_at(figure, 0, edge, heading, color=colour("muted"), size=12, style="italic")
            figure.add_artist(_rule(width, edge - 20, figure))
        if has_legend:
            canvas.key(figure, [canvas.LABELS.get(role, role) for role in legend], legend, left=0)
        canvas.axis_label(
            figure, axes, axis + (", log axis" if is_log else ""), (left, width - right)
        )
        return canvas.svg(figure, name, title)


def _row_labels(figure: "Figure", line: Line, place: float, width: int, above: float) -> None:
    """Draw label and value of a row: `above` its dots by so many pixels, or beside them if 0."""
    weight = "bold" if line.is_strong else "normal"
    ink: TextStyle = {"color": colour("ink"), "size": 13, "weight": weight}
    muted: TextStyle = {"color": colour("muted"), "size": 12}
    if above:
        is_short = len(line.note) <= SHORT_NOTE
        label = f"{line.label} · {line.note}" if line.note and is_short else line.label
        canvas.text_at(figure, 0, place - above + 14, shortened(label, 44 - len(line.value)), **ink)
        canvas.text_at(
            figure, 0, place - above + 30, "" if is_short else shortened(line.note, 50), **muted
        )
        # With several marks the value shown is the tuned model's.
        color = colour("tuned" if len(line.marks) > 1 else "ink")
        value: TextStyle = {**ink, "color": color, "ha": "right"}
        canvas.text_at(figure, width, place - above + 14, line.value, **value)
    else:
        y = place - 2 if line.note else place + 4
        canvas.text_at(figure, 0, y, shortened(line.label, 32), **ink)
        canvas.text_at(figure, 0, y + 15, shortened(line.note, 40), **muted)
        value = {**ink, "ha": "right"}
        canvas.text_at(figure, width, place + 4, line.value, **value)


def _rule(width: int, y: float, figure: "Figure") -> "Line2D":
    from matplotlib.lines import Line2D

    height = figure.get_size_inches()[1] * 72
    return Line2D([0, 1], [1 - y / height] * 2, color=colour("muted"), lw=1, ls=(0, (2, 3)))


def _mark(axes: "Axes", mark: Mark, y: float, least: float | None) -> None:
    low, value, high = (v if least is None else max(v, least) for v in _values(mark))
    shown = colour(mark.role)
    if high > low:
        axes.plot([low, high], [y, y], color=shown, lw=2.5, solid_capstyle="round", alpha=0.75)
    hollow = mark.role in HOLLOW
    axes.plot(
        [value], [y], marker=canvas.MARKERS[mark.role], ms=10 if mark.role != "oracle" else 8,
        ls="", mfc=colour("card") if hollow else shown, mec=shown if hollow else colour("card"),
        mew=2 if hollow else 1, clip_on=False, zorder=5,
    )  # fmt: skip


def _values(mark: Mark) -> tuple[float, float, float]:
    return mark.low, mark.value, mark.high
