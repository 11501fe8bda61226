"""How the cost of a training step grows with the adapter's rank, the rows' length and their number.

    python bench/growth.py --model models/smollm2 --out growth

Writes a figure, `growth.png`, and a table, `growth.md`: seconds of an optimizer step, tokens a
second and peak memory, with one of r, length and rows of a step changed at a time. Rows are random
tokens, all of one length, two fifths of them learned. Every point is a process of its own, whose
first step is not counted. An exponent is the slope of a line through the logarithms: 1 where twice
as much costs twice as much, 0 where it costs the same; that of the points from the middle on is
less flattened by what every step costs. Memory is the peak above what the process held when
training began, with model, adapter and libraries loaded.
"""

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import in_process
from tabulate import tabulate
from training import WAYS, prepared

LEARNED = 0.4
COUNTED = 2  # optimizer steps, after one that is not
# A step has at most 1,024 tokens, which a CPU has in one micro-batch: beyond that ours takes more
# time, and no more memory.
VALUES = {
    "r": (4, 8, 16, 32, 64, 128, 256),
    "length": (32, 64, 128, 256, 512),
    "rows": (1, 2, 4, 8),
}
WORDS = {"r": "rank of the adapter", "length": "tokens of a row", "rows": "rows of a step"}


@dataclass(frozen=True)
class Point:
    """What one process trains: `rows` of `length` tokens in a step, an adapter of rank `r`."""

    way: str = "ours"
    r: int = 16
    length: int = 128
    rows: int = 2

    @property
    def tokens(self) -> int:
        """The tokens of an optimizer step."""
        return self.rows * self.length


@dataclass(frozen=True)
class Cost:
    """Seconds of the fastest optimizer step, and bytes: those held before, and the peak."""

    seconds: float
    loaded: int
    peak: int

    @property
    def added(self) -> int:
        """The peak above what was held before."""
        return self.peak - self.loaded


def main() -> None:
    """Measure all points, and write figure and table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/embedded", help="folder")
    parser.add_argument("--ways", nargs="*", default=["ours"], choices=["ours", "courses' loop"])
    parser.add_argument("--axes", nargs="*", default=list(VALUES), choices=list(VALUES))
    parser.add_argument("--out", default="growth", help="path of figure and table, without suffix")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(_measured(options.model, Point(**json.loads(options.one))))))
        return
    started = time.monotonic()
    costs: dict[Point, Cost] = {}
    for point in points(options.ways, options.axes):
        costs[point] = _in_process(options.model, point)
        print(f"{point}: {costs[point]}", file=sys.stderr, flush=True)
    minutes = (time.monotonic() - started) / 60
    text = report(costs, options.axes, options.model, minutes)
    Path(f"{options.out}.md").write_text(text, encoding="utf-8")
    draw(costs, options.axes, Path(f"{options.out}.png"))
    print(text)


def points(ways: Sequence[str], axes: Sequence[str]) -> list[Point]:
    """All points, each once: that from which one thing at a time is changed is on every axis."""
    made = [
        replace(Point(way=way), **{axis: value})
        for axis in axes
        for value in VALUES[axis]
        for way in ways
    ]
    return list(dict.fromkeys(made))


def on_axis(costs: Mapping[Point, Cost], axis: str, way: str) -> dict[int, tuple[Point, Cost]]:
    """The points of an axis by their value on it."""
    chosen = [replace(Point(way=way), **{axis: value}) for value in VALUES[axis]]
    return {getattr(point, axis): (point, costs[point]) for point in chosen if point in costs}


def exponent(values: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of the line of least squares through the logarithms; no number without two points.

    Costs of 0 or less are left out.
    """
    pairs = [(value, cost) for value, cost in zip(values, costs, strict=True) if cost > 0]
    if len(pairs) < 2:
        return float("nan")
    of_values, of_costs = np.log(np.array(pairs, dtype=float)).T
    return float(np.polyfit(of_values, of_costs, 1)[0])


def report(costs: Mapping[Point, Cost], axes: Sequence[str], model: str, minutes: float) -> str:
    """The tables of all axes, in Markdown."""
    at = Point()
    parts = [
        f"{model}, {len(costs)} processes in {minutes:.1f} minutes. Where nothing else is said: r "
        f"{at.r}, {at.rows} rows of {at.length} tokens a step."
    ]
    for axis in axes:
        for way in dict.fromkeys(point.way for point in costs):
            parts.append(f"{way}, by {WORDS[axis]}:\n\n{_table(on_axis(costs, axis, way), axis)}")
    return "\n\n".join(parts) + "\n"


def _table(costs: Mapping[int, tuple[Point, Cost]], axis: str) -> str:
    rows: list[list[Any]] = [
        [
            value,
            f"{cost.seconds:.3f}",
            f"{point.tokens / cost.seconds:.0f}",
            f"{cost.peak / 1e9:.3f}",
            f"{cost.added / 1e9:.3f}",
        ]
        for value, (point, cost) in costs.items()
    ]
    values = list(costs)
    seconds = [cost.seconds for _, cost in costs.values()]
    added = [cost.added for _, cost in costs.values()]
    for words, start in (("exponent", 0), ("from the middle on", len(values) // 2)):
        slopes = [exponent(values[start:], of[start:]) for of in (seconds, added)]
        rows.append([words, f"{slopes[0]:.2f}", "", "", f"{slopes[1]:.2f}"])
    headers = [axis, "s a step", "tokens/s", "peak GB", "above loaded, GB"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def draw(costs: Mapping[Point, Cost], axes: Sequence[str], file: Path) -> None:
    """Seconds of a step above, memory below, both axes logarithmic; a column for each axis."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    figure = Figure(figsize=(4 * len(axes), 6), layout="constrained")
    panels = figure.subplots(2, len(axes), squeeze=False, sharey="row")
    for column, axis in enumerate(axes):
        for way in dict.fromkeys(point.way for point in costs):
            of_way = on_axis(costs, axis, way)
            values = list(of_way)
            of_seconds = [cost.seconds for _, cost in of_way.values()]
            of_memory = [cost.added / 1e9 for _, cost in of_way.values()]
            for panel, of in zip(panels[:, column], (of_seconds, of_memory), strict=True):
                label = f"{way}, exponent {exponent(values, of):.2f}"
                panel.loglog(values, of, marker="o", label=label)
                panel.set_xticks(values)
                panel.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
                panel.xaxis.set_minor_locator(NullLocator())
                panel.legend(fontsize="small")
        panels[1, column].set_xlabel(WORDS[axis])
    for panel in panels[:, 0]:
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.yaxis.set_minor_locator(NullLocator())
    panels[0, 0].set_ylabel("seconds of a step")
    panels[1, 0].set_ylabel("peak memory above loaded, GB")
    figure.savefig(file, dpi=150)


def _in_process(model: str, point: Point) -> Cost:
    run = in_process([__file__, "--model", model, "--one", json.dumps(asdict(point))])
    if "failed" in run:
        sys.exit(f"bench/growth.py: {run['failed']}")
    return Cost(**run)


def _measured(model_folder: str, point: Point) -> Cost:
    import psutil
    import torch
    from transformers import TrainerCallback

    from finetune.training import hardware

    class Steps(TrainerCallback):
        """Seconds of each optimizer step, and the bytes that were held before the first."""

        def __init__(self) -> None:
            self.loaded, self.began, self.seconds = 0, 0.0, list[float]()

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.loaded = psutil.Process().memory_info().rss
            if torch.cuda.is_available():
                self.loaded = torch.cuda.memory_allocated()
                torch.cuda.reset_peak_memory_stats()
            with contextlib.suppress(OSError):  # not on every system: then loading counts too
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began = self._now()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds.append(self._now() - self.began)

        def _now(self) -> float:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            return time.perf_counter()

    base, model = prepared(model_folder, point.r)
    examples = _examples(point, base.model.config.get_text_config().vocab_size)
    steps = Steps()
    with tempfile.TemporaryDirectory() as folder:
        WAYS[point.way](model, base, examples, Path(folder), point.rows, [steps])
    return Cost(min(steps.seconds[1:]), steps.loaded, hardware.peak_memory())


def _examples(point: Point, vocabulary: int) -> list[dict[str, list[int]]]:
    """Rows of random tokens for all optimizer steps, the last of each learned."""
    rng = random.Random(0)
    learned = max(1, round(LEARNED * point.length))
    rows = [
        [rng.randrange(vocabulary) for _ in range(point.length)]
        for _ in range((1 + COUNTED) * point.rows)
    ]
    start = point.length - learned
    return [{"input_ids": ids, "labels": [-100] * start + ids[start:]} for ids in rows]


if __name__ == "__main__":
    main()
