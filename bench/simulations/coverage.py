"""How often an interval that says 95 % holds the true value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from finetune.scoring import crossed
from finetune.scoring.intervals import Interval
from finetune.scoring.metrics import Metric, Prediction
from finetune.tasks import registry
from simulations.populations import PRICES, SUMMARIES, Columns, Generator, Population
from simulations.tables import OPTIONS, Table, rate

ROWS = (200, 819, 2000)
SEEDS = (3, 5)
RUN, RUNS = "one run", "difference, 1 run each"
SCORE = {seeds: f"{seeds} seeds" for seeds in SEEDS}
DIFFERENCE = {seeds: f"difference, {seeds} seeds each" for seeds in SEEDS}
KINDS = (RUN, *SCORE.values(), RUNS, *DIFFERENCE.values())
# Rows that the true values are taken over.
MANY = 1_000_000


@dataclass(frozen=True)
class Case:
    """A metric of the project over one of the populations."""

    label: str
    metric: Metric
    population: Population


def cases() -> list[Case]:
    """Every metric of prices and summaries that differs in how its interval is made."""
    of_price = {metric.key: metric for metric in registry.scores("price").METRICS}
    of_text = {metric.key: metric for metric in registry.scores("summarization").METRICS}
    rate_of_14 = of_text["unsupported_rate"]
    texts = {
        "ROUGE-1 (mean)": of_text["rouge1"],
        "length ratio": of_text["length_ratio"],
        "perplexity": of_text["perplexity"],
        "rate of 14 %": rate_of_14,
        "rate of 2 %": replace(rate_of_14, columns=("rare",)),
    }
    usd = {
        "mean absolute error": of_price["mae"],
        "median error": of_price["median_error"],
        "RMSLE": of_price["rmsle"],
        "R²": of_price["r2"],
        "hits (35 %)": of_price["hits"],
        "CRPS": of_price["crps"],
        "mass on no price": of_price["outside"],
    }
    return [Case(label, metric, SUMMARIES) for label, metric in texts.items()] + [
        Case(label, metric, PRICES) for label, metric in usd.items()
    ]


def coverage(draws: int, rng: Generator) -> Table:
    """A row for each metric and number of rows, a column for each kind of interval."""
    covered: dict[tuple[str, str, int], list[bool]] = {}
    for population in (SUMMARIES, PRICES):
        of_it = [case for case in cases() if case.population is population]
        truths = _truths(of_it, population, min(MANY, 10_000 * draws), rng)
        for rows in ROWS:
            for _ in range(draws):
                for key, holds in _draw(of_it, population, truths, rows, rng).items():
                    covered.setdefault((*key, rows), []).append(holds)
    lines = [
        [_name(case, n), f"{n:,}", *(_cell(covered.get((case.label, k, n))) for k in KINDS)]
        for case in cases()
        for n in ROWS
    ]
    return Table(
        "Draws of rows, and of seeds, in which a 95 % interval holds the true score, or the true "
        "difference of two configurations that differ (nominal 95 %, target 93 to 97 %); seeds "
        "change ROUGE-1 with an sd of 0.5 points, and other scores alike.",
        ["score", "rows", *KINDS],
        lines,
    )


def _name(case: Case, rows: int) -> str:
    return case.label + (" (not shown)" if rows < case.metric.min_rows else "")


def _cell(holds: Sequence[bool] | None) -> str:
    return rate(holds) if holds else ""


# A metric's true scores: before and after, of a run with the average seed and of the average run.
Truths = dict[str, tuple[float, float, float, float]]


def _truths(of_it: Sequence[Case], population: Population, rows: int, rng: Generator) -> Truths:
    shared = population.rows(rng, rows)
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    weights = weights / weights.sum()
    scores: dict[str, list[list[float]]] = {case.label: [[], []] for case in of_it}
    for side, run in enumerate((population.before, population.after)):
        for node in nodes:
            columns = run(rng, shared, float(node))
            for case in of_it:
                values = [columns[column] for column in case.metric.columns]
                scores[case.label][side].append(float(case.metric.statistic(*values, axis=-1)))
    middle = len(nodes) // 2
    return {
        label: (before[middle], after[middle], float(weights @ before), float(weights @ after))
        for label, (before, after) in scores.items()
    }


def _draw(
    of_it: Sequence[Case], population: Population, truths: Truths, rows: int, rng: Generator
) -> dict[tuple[str, str], bool]:
    """For each score and kind of interval whether it holds the truth in one draw."""
    shared = population.rows(rng, rows)
    before, after = (_rows(run(rng, shared, 0.0)) for run in (population.before, population.after))
    # Where leaving out each row takes long, seeds are simulated with fewer rows alone.
    with_seeds = rows < 1000
    runs = [
        [_rows(run(rng, shared, seed)) for seed in rng.normal(size=max(SEEDS) * with_seeds)]
        for run in (population.before, population.after)
    ]
    holds: dict[tuple[str, str], bool] = {}
    for case in of_it:
        metric = replace(case.metric, min_rows=1)
        old, new, old_mean, new_mean = truths[case.label]
        holds[case.label, RUN] = _holds(metric.interval(before, OPTIONS), old)
        holds[case.label, RUNS] = _holds(metric.gain(before, after, OPTIONS), new - old)
        if not with_seeds:
            continue
        values = [np.stack([metric.row_values(run, OPTIONS) for run in side]) for side in runs]
        for seeds in SEEDS:
            before_mean = crossed.score(values[0][:seeds]).interval(OPTIONS.confidence)
            holds[case.label, SCORE[seeds]] = _holds(before_mean, old_mean)
            of_seeds = crossed.difference(*(side[:seeds] for side in values), metric.is_rate)
            difference = of_seeds.interval(OPTIONS.confidence)
            holds[case.label, DIFFERENCE[seeds]] = _holds(difference, new_mean - old_mean)
    return holds


def _rows(columns: Columns) -> list[Prediction]:
    """Columns as rows of predictions."""
    names = list(columns)
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(names, row, strict=True)) for row in values]


def _holds(interval: Interval | None, truth: float) -> bool:
    return interval is not None and interval.low <= truth <= interval.high
