"""What choosing among configurations does to scores and verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetune.scoring import crossed, intervals
from finetune.scoring.crossed import Difference
from simulations.judging import comparison, decided, is_decided, judged
from simulations.populations import Generator, ease, points
from simulations.tables import OPTIONS, Table, average, rate

CONFIGURATIONS, MEAN = 20, 40.0
VALIDATION, TEST = (100, 400), (200, 819)


@dataclass(frozen=True)
class Chosen:
    """One draw: what came of choosing the best of twenty equal configurations."""

    flattered: float
    holds: bool
    promoted: bool
    alone: bool
    at_once: bool
    one_by_one: bool


def winner(draws: int, rng: Generator) -> Table:
    """The best of twenty equal configurations by validation, looked at on test rows."""
    rows = []
    for seed_sd, of_main in ((0.0, 1), (0.5, 1), (0.5, 5)):
        for validation in VALIDATION:
            for test in TEST:
                of_draws = [_choose(rng, validation, test, seed_sd, of_main) for _ in range(draws)]
                settings = f"{seed_sd:g}", f"{of_main}", f"{validation}", f"{test}"
                rows.append([*settings, *_cells(of_draws)])
    return Table(
        f"{CONFIGURATIONS} equal configurations of one run each; the best on validation rows is "
        "looked at on test rows: by how many points its validation score is above its true one, "
        "and how often its interval on test holds that (nominal 95 %, target 93 to 97 %). Then all "
        "twenty are compared with main, their equal, on test: how often one at least is called "
        "better, or different, with no ledger; different by Holm's method over all twenty looks; "
        "and different in sequence, in twenty calls one after the other, each with the ledger of "
        "those before it (nominal 5 %, target at most 6 % for the whole ledger).",
        [
            "seed sd",
            "runs of main",
            "validation rows",
            "test rows",
            "flattered by",
            "interval holds %",
            "better, no ledger %",
            "different, no ledger %",
            "whole ledger %",
            "in sequence %",
        ],
        rows,
    )


def _cells(of_draws: Sequence[Chosen]) -> list[str]:
    return [
        average([each.flattered for each in of_draws]),
        rate(each.holds for each in of_draws),
        rate(each.promoted for each in of_draws),
        rate(each.alone for each in of_draws),
        rate(each.at_once for each in of_draws),
        rate(each.one_by_one for each in of_draws),
    ]


def _choose(
    rng: Generator, validation_rows: int, test_rows: int, seed_sd: float, of_main: int
) -> Chosen:
    true = MEAN + seed_sd * rng.normal(size=CONFIGURATIONS)
    validation = true[:, None] + points(rng, ease(rng, validation_rows), CONFIGURATIONS, 0.0, 0.0)
    of_test = ease(rng, test_rows)
    test = true[:, None] + points(rng, of_test, CONFIGURATIONS, 0.0, 0.0)
    main = points(rng, of_test, of_main, seed_sd, MEAN)
    best = int(np.argmax(validation.mean(axis=1)))
    revealed = intervals.interval([test[best].tolist()], OPTIONS)
    differences = [crossed.difference(main, run[None]) for run in test]
    alone = [decided(each) for each in differences]
    return Chosen(
        flattered=float(validation[best].mean() - true[best]),
        holds=revealed.low <= true[best] <= revealed.high,
        promoted=any(is_so and d.mean > 0 for is_so, d in zip(alone, differences, strict=True)),
        alone=any(alone),
        at_once=any(map(is_decided, judged([[comparison(each)] for each in differences]))),
        one_by_one=any(_with_ledger(differences)),
    )


def _with_ledger(differences: Sequence[Difference]) -> list[bool]:
    """Whether there is a verdict on each, one after the other beside the looks before it."""
    found = []
    for place, each in enumerate(differences):
        looks = [before.p for before in differences[:place]]
        found.append(is_decided(judged([[comparison(each)]], looks)[0]))
    return found
