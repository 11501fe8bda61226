"""Figures with one panel: histogram, scatter plot, calibration, curves of training."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from finetune.core.calibration import covered
from finetune.reporting import canvas
from finetune.reporting.artifacts import Curve
from finetune.reporting.canvas import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Points of a scatter plot: thousands of SVG elements make a page slow.
MOST_POINTS = 500


def histogram(
    name: str,
    title: str,
    series: Mapping[str, Sequence[float]],
    axis: str,
    log: bool = False,
    limits: tuple[float, float] | None = None,
) -> Markup:
    """Histograms in percent of rows; `series` are values by label, in their roles' colours."""
    values = np.concatenate([np.asarray(v, dtype=float) for v in series.values()])
    if log:
        values = np.maximum(values, _smallest(values))
    edges = _edges(values, log, limits)
    low, high = edges[0], edges[-1]
    with canvas.panel() as (figure, axes):
        if log:
            axes.set_xscale("log")
        for of, style in zip(series.values(), _styles(series), strict=True):
            clipped = np.clip(np.asarray(of, dtype=float), low, high)
            percents = 100 * np.histogram(clipped, edges)[0] / max(1, len(clipped))
            line_colour = colour(style)
            axes.stairs(
                percents,
                edges,
                color=line_colour,
                lw=2,
                ls="-" if style == "tuned" else canvas.DASHES,
            )
            if style == "tuned":
                axes.stairs(percents, edges, color=line_colour, alpha=0.15, fill=True, lw=0)
        axes.set_xlim(low, high)
        axes.set_ylim(bottom=0)
        canvas.ticks(axes, log, False)
        canvas.key(figure, list(series), _styles(series), lines=True)
        canvas.axis_titles(figure, axes, axis + (", log axis" if log else ""), "% of rows")
        return canvas.svg(figure, name, title)


def scatter(
    name: str,
    title: str,
    pairs: Sequence[tuple[float, float]],
    role: str,
    limits: tuple[float, float],
    unit: str,
) -> Markup:
    """Predicted over actual prices on logarithmic axes, with a band within a factor of 2.

    `pairs` are (actual, predicted) in `unit`; prices outside of `limits` are drawn at the edge.
    """
    points = np.clip(np.array(_thinned(pairs), dtype=float).reshape(-1, 2), *limits)
    with canvas.panel(canvas.SQUARE) as (figure, axes):
        axes.set_xscale("log")
        axes.set_yscale("log")
        ends = np.array(limits)
        axes.fill_between(ends, ends / 2, ends * 2, color=colour("line"), alpha=0.5, lw=0)
        axes.plot(ends, ends, color=colour("muted"), lw=1.25)
        axes.plot(
            points[:, 0], points[:, 1], ls="", marker=canvas.MARKERS[role], ms=5, alpha=0.55,
            mfc=colour(role), mew=0,
        )  # fmt: skip
        axes.set_xlim(limits)
        axes.set_ylim(limits)
        canvas.ticks(axes, True, True)
        canvas.key(figure, [canvas.LABELS[role]], [role])
        canvas.axis_titles(figure, axes, f"actual {unit}, log axis", f"predicted {unit}, log axis")
        return canvas.svg(figure, name, title)


def coverage(name: str, title: str, pits: Mapping[str, Sequence[Sequence[float]]]) -> Markup:
    """Empirical over nominal coverage of central intervals; the diagonal is perfect calibration.

    `pits` are intervals of the probability integral transform by role, [rows][2]; see
    `finetune.core.calibration`.
    """
    levels = np.linspace(0, 1, 41)
    with canvas.panel(canvas.SQUARE) as (figure, axes):
        axes.plot([0, 100], [0, 100], color=colour("muted"), lw=1.25, ls=(0, (4, 3)))
        for role, of in pits.items():
            below, upto = np.asarray(of, dtype=float).T
            coverages = [100 * float(covered(below, upto, level).mean()) for level in levels]
            axes.plot(100 * levels, coverages, color=colour(role), lw=2)
            marked = [100 * float(covered(below, upto, level).mean()) for level in (0.5, 0.9)]
            axes.plot([50, 90], marked, ls="", marker=canvas.MARKERS[role], ms=9, mfc=colour(role),
                      mec=colour("card"), mew=1.5)  # fmt: skip
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        for set_ticks in (axes.set_xticks, axes.set_yticks):
            set_ticks([0, 25, 50, 75, 90, 100])
        canvas.key(figure, [canvas.LABELS[role] for role in pits], list(pits))
        canvas.axis_titles(figure, axes, "% that an interval is to hold", "% of true prices in it")
        return canvas.svg(figure, name, title)


def losses(name: str, title: str, train: Curve, validation: Curve, kept: int | None) -> Markup:
    """Training and validation loss over steps, and the step of the kept checkpoint, if any."""
    values = [loss for _, loss in [*train, *validation]]
    # A likelihood of numbers may be above 1, so that its loss is below 0.
    log = bool(values) and max(values) > 4 * min(values) > 0
    with canvas.panel() as (figure, axes):
        if log:
            axes.set_yscale("log")
            axes.set_ylim(min(values) * 0.9, max(values) * 1.1)
        if train:
            axes.plot(*zip(*train, strict=True), color=colour("baseline"), lw=1.5)
        if validation:
            axes.plot(*zip(*validation, strict=True), color=colour("tuned"), lw=2, marker="o", ms=7,
                      mec=colour("card"), mew=1.5)  # fmt: skip
        if kept is not None:
            axes.axvline(kept, color=colour("muted"), lw=1.25, ls=(0, (3, 3)), zorder=0)
        _tick_steps(axes, [*train, *validation], kept)
        canvas.ticks(axes, False, log)
        labels = [(train, "train", "baseline"), (validation, "validation", "tuned")]
        shown = [(label, role) for curve, label, role in labels if curve]
        if kept is not None:
            shown.append((f"kept: step {kept}", "muted"))
        canvas.key(figure, [label for label, _ in shown], [role for _, role in shown])
        canvas.axis_titles(figure, axes, "optimizer step", "loss" + (", log axis" if log else ""))
        return canvas.svg(figure, name, title)


def line(name: str, title: str, curve: Curve, label: str) -> Markup:
    """A single curve over optimizer steps; `label` is the title of y."""
    with canvas.panel(left=74) as (figure, axes):
        axes.plot(*zip(*curve, strict=True), color=colour("baseline"), lw=2)
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="y", nbins=5)
        _tick_steps(axes, curve, None)
        # Learning rates as in params.yaml: 0.0005, not 5e-4.
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.6g}")
        canvas.axis_titles(figure, axes, "optimizer step", label)
        return canvas.svg(figure, name, title)


def _tick_steps(axes: "Axes", points: Curve, kept: int | None) -> None:
    """Tick the kept and the last step, besides round numbers."""
    last = [int(max(step for step, _ in points))] if points else []
    canvas.step_ticks(axes, last if kept is None else [kept, *last])


def _edges(values: np.ndarray, log: bool, limits: tuple[float, float] | None) -> np.ndarray:
    """The edges of about 20 bins, [bins + 1]; for integers, all bins hold equally many of them."""
    low, high = limits or (float(values.min()), float(values.max()))
    if log:
        return np.geomspace(low, high, 21) if high > low else np.geomspace(low / 2, low * 2, 21)
    if not limits and np.all(values == np.round(values)):
        width = max(1, -(-int(high - low + 1) // 20))
        return np.arange(low - 0.5, high + width + 0.5, width)
    return np.linspace(low, high if high > low else low + 1, 21)


def _styles(series: Mapping[str, Sequence[float]]) -> list[str]:
    """The role of each label; unknown labels alternate between two colours."""
    known = {label: role for role, label in canvas.LABELS.items()}
    return [known.get(label, ("baseline", "tuned")[i % 2]) for i, label in enumerate(series)]


def _thinned(pairs: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Every n-th pair, so that at most `MOST_POINTS` remain."""
    return pairs[:: max(1, -(-len(pairs) // MOST_POINTS))]


def _smallest(values: np.ndarray) -> float:
    positive = values[values > 0]
    return float(positive.min()) if positive.size else 1.0
