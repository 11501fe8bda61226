"""What ratings say, as text for a terminal or a pull request, and as JSON."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from finetune.comparing.verdicts import UNDECIDED, p_text
from finetune.rating.results import Judged, Preferred, Result
from finetune.scoring.intervals import Interval


@dataclass(frozen=True)
class Shown:
    """Judged results of two runs; `replaced` counts ratings, `earlier` looks at the same rows."""

    names: tuple[str, str]
    judged: list[Judged]
    replaced: int
    earlier: int

    @property
    def num_tests(self) -> int:
        """The tests that Holm's method was run over."""
        return self.earlier + sum(bool(each.result.signs.decided) for each in self.judged)


def text(shown: Shown, confidence: float, style: str) -> str:
    """For each task the preference, each rater's, and what to know of them; `style` is tabulate's.

    Intervals are of `confidence`.
    """
    first, second = shown.names
    level = f"{100 * confidence:.3g} %"
    parts = [f"{'## ' if style == 'github' else ''}{first} → {second}, as people rate them"]
    head = [
        "task", f"{first} better", "tie", f"{second} better",
        f"win rate of {second} [{level}]", "rows",
    ]  # fmt: skip
    tests = ["p (sign test)", f"p (Holm, {shown.num_tests})", "verdict"]
    rows = [
        [
            each.result.task,
            *_counts(each.result.counts).values(),
            _interval(each.result.win_rate),
            each.result.rows,
            p_text(each.result.signs.p),
            p_text(each.p_adjusted),
            _verdict(each),
        ]
        for each in shown.judged
    ]
    parts.append(_table([*head, *tests], rows, style))
    raters = [
        [
            rater.name,
            each.result.task,
            *_counts(rater.counts).values(),
            _interval(rater.win_rate),
            rater.counts.total(),
        ]
        for each in shown.judged
        for rater in each.result.raters
    ]
    parts.append(_table(["rater", *head], raters, style))
    parts += [
        "\n".join(
            f"{'- ' if style == 'github' else ''}{line}"
            for line in _lines(each.result, shown.names)
        )
        for each in shown.judged
    ]
    if shown.replaced:
        parts.append(
            f"{shown.replaced} ratings were followed by another of the same rater and row: the "
            "last one counts."
        )
    parts.append(
        f"Counts are of ratings. The win rate of {second} is over rows, a tie counting half; "
        "ratings of one row are averaged first. The sign test is over rows whose raters prefer "
        f"either, Holm-adjusted for {shown.num_tests} comparisons: those shown here, and earlier "
        "ones on the same rows that metrics/looks.json has; with further ratings it is a further "
        "one. Hidden in no interval: other raters than these, other rows, another seed of training."
    )
    return "\n\n".join(parts)


def _lines(result: Result, names: tuple[str, str]) -> Iterator[str]:
    signs, agreement = result.signs, result.agreement
    yield (
        f"{result.task}: {names[0]} is preferred in {signs.first} rows, {names[1]} in "
        f"{signs.second}, neither in {signs.neither}."
    )
    yield (
        f"{result.task}: {result.same} of {result.of_rows} rows are answered alike by both and "
        f"were not rated; {_ratings(result.skipped)} skipped; "
        f"{_ratings(result.reference_seen)} given with the reference in sight."
    )
    if agreement is None:
        yield f"{result.task}: no row has two raters, so how far raters agree is not known."
    else:
        alpha = (
            "all ratings are equal, so nothing can be said beyond chance"
            if agreement.alpha is None
            else f"Krippendorff's alpha {agreement.alpha:.2f}{_ends(agreement.interval)}"
        )
        yield (
            f"{result.task}: raters agree in {agreement.observed:.1f} % of pairs of ratings, over "
            f"{agreement.rows} rows that several rated; by chance it would be "
            f"{agreement.by_chance:.1f} %: {alpha}."
        )
    if result.left:
        yield (
            f"{result.task}: the left answer was preferred in {_interval(result.left)} % of rows "
            "where a rater prefers one; sides were drawn, so it should be 50."
        )
    if result.metric:
        yield (
            f"{result.task}: {result.metric.metric.subject} finds the same answer better as people "
            f"in {_interval(result.metric.percent)} % of the {result.metric.rows} rows where both "
            "have a preference; by chance, with as many preferences either way, it would be "
            f"{result.metric.by_chance:.1f} %."
        )


def _ratings(count: int) -> str:
    return f"{count} rating was" if count == 1 else f"{count} ratings were"


def _counts(counts: Counter[Preferred]) -> dict[Preferred, int]:
    """Of all three, in the order of a table's columns."""
    order: tuple[Preferred, ...] = ("first", "tie", "second")
    return {key: counts[key] for key in order}


def _verdict(each: Judged) -> str:
    return f"{each.preferred} is preferred" if each.preferred else UNDECIDED


def _interval(of: Interval) -> str:
    return f"{of.mean:.1f} [{of.low:.1f}, {of.high:.1f}]"


def _ends(of: Interval | None) -> str:
    return f" [{of.low:.2f}, {of.high:.2f}]" if of else ""


def _table(headers: list[str], rows: list[list[Any]], style: str) -> str:
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)


def as_json(shown: Shown) -> dict[str, Any]:
    """The same, as JSON; rates in percent."""
    return {
        "runs": list(shown.names),
        "looks": shown.num_tests,
        "replaced": shown.replaced,
        "tasks": [_task_json(each) for each in shown.judged],
    }


def _task_json(each: Judged) -> dict[str, Any]:
    result, agreement = each.result, each.result.agreement
    return {
        "task": result.task,
        "rows": result.rows,
        "ratings": _counts(result.counts),
        "skipped": result.skipped,
        "reference_seen": result.reference_seen,
        "answered_alike": result.same,
        "of_rows": result.of_rows,
        "win_rate": result.win_rate.rounded(),
        "signs": {
            "first": result.signs.first,
            "second": result.signs.second,
            "neither": result.signs.neither,
        },
        "p": result.signs.p,
        "p_adjusted": each.p_adjusted,
        "preferred": each.preferred,
        "raters": [
            {"name": r.name, "ratings": _counts(r.counts), "win_rate": r.win_rate.rounded()}
            for r in result.raters
        ],
        "agreement": agreement
        and {
            "rows": agreement.rows,
            "observed": round(agreement.observed, 4),
            "by_chance": round(agreement.by_chance, 4),
            "alpha": agreement.alpha and round(agreement.alpha, 4),
            "interval": agreement.interval and agreement.interval.rounded(),
        },
        "left": result.left and result.left.rounded(),
        "metric": result.metric
        and {
            "score": result.metric.metric.key,
            "rows": result.metric.rows,
            "by_chance": round(result.metric.by_chance, 4),
            **result.metric.percent.rounded(),
        },
    }
