"""Costs a month over requests a month: where lines cross, the other one becomes cheaper."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from finetune.costs import volume
from finetune.costs.assessment import TaskCosts
from finetune.costs.shown import MILLION, cheapest
from finetune.reporting import canvas
from finetune.reporting.canvas import colour

SIZE = (680, 360)
NARROW = (340, 320)
POINTS = 200
# Around the first volume at which something becomes cheaper, in factors of ten.
DECADES = 2.0


def monthly(name: str, of: TaskCosts, is_narrow: bool = False) -> Markup | None:
    """The tuned model's costs and those of the cheapest hosted model; None if one is not known."""
    offer = cheapest(of)
    form = of.forms[0] if of.forms else None
    if form is None or form.speed is None or of.machine is None or not (offer and offer.usd):
        return None
    machine, seconds, trained = of.machine, form.speed.seconds, of.training_per_month
    middle = machine.usd_per_month / offer.usd
    counts = np.geomspace(middle / 10**DECADES, middle * 10**DECADES, POINTS)
    lines = {
        "tuned, kept on": [volume.monthly(machine, seconds, trained, count) for count in counts],
        "tuned, by the hour": [trained + count * machine.usd(seconds) for count in counts],
        offer.name: [count * offer.usd for count in counts],
    }
    styles = ("tuned", "muted", "base")
    title = f"{of.task}: USD a month over requests a month, of {', '.join(lines)}"
    labels = ["kept on", "by the hour", "hosted"] if is_narrow else list(lines)
    size = NARROW if is_narrow else SIZE
    return _drawn(name, title, size, counts, dict(zip(labels, lines.values(), strict=True)), styles)


def _drawn(
    name: str,
    title: str,
    size: tuple[int, int],
    counts: np.ndarray,
    lines: Mapping[str, Sequence[float]],
    styles: Sequence[str],
) -> Markup:
    with canvas.panel(size, left=70) as (figure, axes):
        axes.set_xscale("log")
        axes.set_yscale("log")
        for values, style in zip(lines.values(), styles, strict=True):
            dashes = "-" if style == "tuned" else canvas.DASHES
            axes.plot(counts / MILLION, values, color=colour(style), lw=2, ls=dashes)
        axes.set_xlim(counts[0] / MILLION, counts[-1] / MILLION)
        canvas.ticks(axes, True, True)
        canvas.key(figure, list(lines), styles, lines=True)
        canvas.axis_titles(
            figure, axes, "million requests a month, log axis", "USD a month, log axis"
        )
        return canvas.svg(figure, name, title)
