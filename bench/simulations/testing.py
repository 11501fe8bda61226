"""How often tests of differences err, and how often they find one."""

from collections.abc import Callable, Sequence

import numpy as np

from finetune.scoring import crossed, multiple
from finetune.scoring.crossed import Difference
from finetune.scoring.row_values import by_cluster
from simulations.judging import comparison, decided, is_decided, judged
from simulations.populations import (
    ROW_SD,
    Generator,
    ease,
    points,
    price_run,
    prices,
)
from simulations.tables import LEVEL, OPTIONS, Table, amount, average, rate

ROWS = (200, 819)
SEEDS = ((2, 2), (3, 3), (5, 5), (5, 1))
SEED_SDS = (0.0, 0.25, 0.5, 1.0)
GAIN = 1.5

# Draws one difference of two configurations, of so many rows and seeds.
Draw = Callable[[Generator, int, tuple[int, int]], Difference]


def verdict(draws: int, rng: Generator) -> Table:
    """Type-I error and power of the primary score's test."""
    lines: list[tuple[str, str, str, tuple[int, int], Draw]] = []
    for seed_sd in SEED_SDS:
        lines.append(("rows alone", "5", f"{seed_sd:g}", (1, 1), _of_points(seed_sd)))
    for seeds in SEEDS:
        for seed_sd in SEED_SDS:
            lines.append(("rows × seeds", "5", f"{seed_sd:g}", seeds, _of_points(seed_sd)))
    agreed = _of_points(0.5, agreed=0.5)
    lines += [("seeds agree on rows", "5", "0.5", seeds, agreed) for seeds in SEEDS]
    lines += [("price errors", "5", "(10 %)", seeds, _of_prices) for seeds in ((1, 1), *SEEDS)]
    gain = _of_points(0.5, gain=GAIN)
    lines += [(f"{GAIN:g} points better", "power", "0.5", seeds, gain) for seeds in SEEDS]
    return Table(
        "Verdicts at the 5 % level on two configurations that are equal, or "
        f"{GAIN:g} points apart: the differences of two runs have an sd of {ROW_SD:g} points over "
        "rows, and runs have means that vary by the seed sd. `rows alone` is one run a side, whose "
        "verdict is on these two runs alone; where seeds agree, half of the residual variance is "
        "the configuration's; price errors are log-normal, clipped, and the noise in them varies "
        "by 10 % from seed to seed (nominal 5 %, target at most 6 % for 3 and 5 seeds).",
        ["what", "nominal %", "seed sd", "seeds a side", *map(amount, ROWS)],
        [
            [what, nominal, seed_sd, _sides(seeds)]
            + [rate(decided(draw(rng, n, seeds)) for _ in range(draws)) for n in ROWS]
            for what, nominal, seed_sd, seeds, draw in lines
        ],
    )


def _of_points(seed_sd: float, gain: float = 0.0, agreed: float = 0.0) -> Draw:
    def draw(rng: Generator, rows: int, seeds: tuple[int, int]) -> Difference:
        of_rows = ease(rng, rows)
        before = points(rng, of_rows, seeds[0], seed_sd, agreed=agreed)
        after = points(rng, of_rows, seeds[1], seed_sd, 40 + gain, agreed)
        return crossed.difference(before, after)

    return draw


def _of_prices(rng: Generator, rows: int, seeds: tuple[int, int]) -> Difference:
    shared = prices(rng, rows)
    # One run a side: the two runs are equal, as their configurations are.
    effects = [rng.normal(size=count) * (seeds != (1, 1)) for count in seeds]
    before, after = (
        np.stack([price_run(rng, shared, seed)["absolute_error"] for seed in side])
        for side in effects
    )
    return crossed.difference(before, after)


def _sides(seeds: tuple[int, int]) -> str:
    return f"{seeds[0]}" if seeds[0] == seeds[1] else f"{seeds[0]} against {seeds[1]}"


def detectable(draws: int, rng: Generator) -> Table:
    """Power at the difference that is named as detectable."""
    rows = []
    for seeds in ((1, 1), *SEEDS):
        for n in ROWS:
            seed_sd = 0.5 if seeds != (1, 1) else 0.0
            equal = _of_points(seed_sd)
            named = [equal(rng, n, seeds).detectable(OPTIONS.confidence) for _ in range(draws)]
            better = _of_points(seed_sd, gain=float(np.mean(named)))
            power = rate(decided(better(rng, n, seeds)) for _ in range(draws))
            rows.append([_sides(seeds), f"{seed_sd:g}", f"{n}", average(named), power])
    return Table(
        "How often a verdict at the 5 % level finds a difference as large as the one that "
        "`detectable` names on average, in points (nominal 80 %).",
        ["seeds a side", "seed sd", "rows", "detectable", "power %"],
        rows,
    )


TASKS, SCORES, SECONDARY = 2, 11, 10


def multiple_tests(draws: int, rng: Generator) -> Table:
    """Family-wise errors of Holm's and of Westfall and Young's method, and what they cost."""
    rows = [
        [
            f"Holm over {TASKS} tasks × {revisions} revision{'s' * (revisions > 1)}",
            _sides(seeds),
            "5",
            rate(any(_of_tasks(rng, revisions, seeds)) for _ in range(draws)),
        ]
        for revisions in (1, 2, 3)
        for seeds in ((1, 1), (5, 5), (5, 1))
    ]
    for correlation in (0.0, 0.5, 0.9):
        for seeds in ((1, 1), (3, 3)):
            families = [_of_scores(rng, correlation, seeds) for _ in range(draws)]
            what = f"over {SECONDARY} scores, correlation {correlation:g}"
            adjusted = {
                "Westfall and Young": (_westfall_young(family) for family in families),
                "Holm": (multiple.holm([each.p for each in family]) for family in families),
            }
            for method, p_values in adjusted.items():
                errors = rate(min(of_draw) < LEVEL for of_draw in p_values)
                rows.append([f"{method} {what}", _sides(seeds), "5", errors])
    gained = [[_of_gain(rng), *_no_difference(rng, SCORES - 1)] for _ in range(draws)]
    for what, count in (
        ("the primary score alone", 1),
        ("Holm over the primary scores of two tasks", TASKS),
        (f"Holm over {SCORES} scores", SCORES),
    ):
        found = rate(multiple.holm(p_values[:count])[0] < LEVEL for p_values in gained)
        rows.append([f"power of {what}", "1", "power", found])
    return Table(
        "How often anything is called different where nothing is (families of tests at 5 %), and "
        "how often one true difference among scores that do not differ is found; 400 rows, seed sd "
        "0.5 points where there are several seeds.",
        ["what", "seeds a side", "nominal %", "measured %"],
        rows,
    )


FAMILY_ROWS = 400


def _of_tasks(rng: Generator, revisions: int, seeds: tuple[int, int]) -> list[bool]:
    """Whether there is a verdict on equal revisions against one main, for each task."""
    compared = []
    seed_sd = 0.5 if max(seeds) > 1 else 0.0
    for task in range(TASKS):
        of_rows = ease(rng, FAMILY_ROWS)
        main = points(rng, of_rows, seeds[0], seed_sd)
        for _ in range(revisions):
            revision = points(rng, of_rows, seeds[1], seed_sd)
            compared.append(comparison(crossed.difference(main, revision), f"{task}"))
    return [is_decided(each) for each in judged([compared])]


def _of_scores(rng: Generator, correlation: float, seeds: tuple[int, int]) -> list[Difference]:
    """Differences of two equal configurations in scores that correlate, over rows and seeds."""
    seed_sd = 0.5 / ROW_SD if max(seeds) > 1 else 0.0

    def of_all(*shape: int) -> np.ndarray:
        own, common = rng.normal(size=(SECONDARY, *shape)), rng.normal(size=shape)
        return correlation**0.5 * common + (1 - correlation) ** 0.5 * own

    before, after = (
        of_all(count, FAMILY_ROWS) / 2**0.5 + seed_sd * of_all(count, 1) for count in seeds
    )
    return [crossed.difference(old, new) for old, new in zip(before, after, strict=True)]


def _westfall_young(family: Sequence[Difference]) -> list[float]:
    compared = judged([[comparison(each, is_primary=False) for each in family]])
    return [each.p_adjusted for each in compared]


def _of_gain(rng: Generator) -> float:
    """The p-value of a difference that one test finds in 79 %."""
    gain = 2.76 * ROW_SD / FAMILY_ROWS**0.5
    return _of_points(0.0, gain=gain)(rng, FAMILY_ROWS, (1, 1)).p


def _no_difference(rng: Generator, count: int) -> list[float]:
    return [_of_points(0.0)(rng, FAMILY_ROWS, (1, 1)).p for _ in range(count)]


# A row in fifty is wildly wrong under the candidate, by this much on average.
WILD_RATE, WILD_USD = 0.02, 400.0
FEW_ROWS_OF = (50, 200, 800)


def few_rows(draws: int, rng: Generator) -> Table:
    """Errors of the paired test where few rows decide, the warning, and second opinions."""
    lines: tuple[tuple[str, str, Callable[[Generator, int], np.ndarray]], ...] = (
        ("2 % wildly wrong", "5", _wild),
        ("normal", "5", lambda rng, n: rng.normal(size=n)),
        ("price errors", "5", lambda rng, n: _of_prices(rng, n, (1, 1)).by_row),
        ("price errors, better", "power", _better_prices),
    )
    rows = [
        [what, nominal, f"{n}", *_opinions([draw(rng, n) for _ in range(draws)])]
        for what, nominal, draw in lines
        for n in FEW_ROWS_OF
    ]
    return Table(
        "Differences of two runs in USD; but for the last, their true mean is zero. `2 % wildly "
        f"wrong`: the candidate is {WILD_RATE * WILD_USD:g} USD better in every row, and off by an "
        f"exponential amount of {WILD_USD:g} USD on average in {100 * WILD_RATE:g} % of them. "
        f"Warned: {100 * crossed.FEW_ROWS:g} % of the rows carry more than "
        f"{100 * crossed.MOST:g} % of the variance. A verdict "
        "then needs an interval, corrected for skewness, that excludes zero as well. Beside it: if "
        "Wilcoxon's signed ranks had to agree instead, or if there were no verdict then.",
        [
            "differences",
            "nominal %",
            "rows",
            "significant %",
            "warned %",
            "verdict %",
            "if ranks had to agree %",
            "if there were none %",
        ],
        rows,
    )


def _wild(rng: Generator, rows: int) -> np.ndarray:
    is_wrong = rng.random(rows) < WILD_RATE
    off = np.where(is_wrong, rng.exponential(WILD_USD, rows), 0.0)
    return rng.normal(0, ROW_SD, rows) + off - WILD_RATE * WILD_USD


def _better_prices(rng: Generator, rows: int) -> np.ndarray:
    shared = prices(rng, rows)
    before, after = (price_run(rng, shared, 0.0, noise) for noise in (0.35, 0.25))
    return after["absolute_error"] - before["absolute_error"]


def _opinions(samples: Sequence[np.ndarray]) -> list[str]:
    tests = [_opinion(by_row) for by_row in samples]
    significant, warned, verdicts, by_ranks = (np.array(e) for e in zip(*tests, strict=True))
    ranks_agree = significant & (~warned | by_ranks)
    withheld = significant & ~warned
    return [rate(events) for events in (significant, warned, verdicts, ranks_agree, withheld)]


def _opinion(by_row: np.ndarray) -> tuple[bool, bool, bool, bool]:
    """Whether it is significant, warned of, has a verdict, and is significant by ranks."""
    difference = crossed.difference(np.zeros((1, by_row.size)), by_row[None])
    return (
        difference.p < LEVEL,
        comparison(difference).rests_on_few,
        decided(difference),
        crossed.rank_p(by_row) < LEVEL,
    )


CLUSTERED = 0.3


def clusters(draws: int, rng: Generator) -> Table:
    """Errors where rows repeat each other, tested by row and by cluster."""
    rows = []
    for seeds in ((1, 1), (3, 3), (5, 5)):
        for n in ROWS:
            pairs = [_repeated(rng, n, seeds) for _ in range(draws)]
            rows.append(
                [
                    _sides(seeds),
                    f"{n}",
                    *(rate(p < LEVEL for p in of) for of in zip(*pairs, strict=True)),
                ]
            )
    return Table(
        f"Two equal configurations, {100 * CLUSTERED:g} % of the rows in clusters of 2 to 4 with "
        "the same text, answered alike; seed sd 0.5 points where there are several seeds "
        "(nominal 5 %).",
        ["seeds a side", "rows", "by row %", "by cluster %"],
        rows,
    )


def _repeated(rng: Generator, rows: int, seeds: tuple[int, int]) -> tuple[float, float]:
    """P-values by row and by cluster."""
    sizes: list[int] = []
    while sum(sizes) < CLUSTERED * rows:
        sizes.append(int(rng.integers(2, 5)))
    sizes += [1] * (rows - sum(sizes))
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    seed_sd = 0.5 if max(seeds) > 1 else 0.0
    of_rows = ease(rng, len(sizes))
    before, after = (points(rng, of_rows, count, seed_sd)[:, cluster] for count in seeds)
    by_row = crossed.difference(before, after).p
    return by_row, crossed.difference(
        by_cluster(before, cluster.tolist()), by_cluster(after, cluster.tolist())
    ).p
