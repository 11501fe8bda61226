"""What `finetune ship` says about candidates whose truth is known, by the functions it calls."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.comparing import ship, verdicts
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Row, Run
from finetune.core import params, paths
from simulations.populations import Columns, Generator, Shared, points, price_run, prices
from simulations.tables import OPTIONS, Table, rate

KINDS = {"samsum": "summarization", "price": "price"}
# By how much each may get worse, as the committed parameters have it.
PARAMS = params.read(Path(__file__).parents[2] / "params.yaml")
GUARDS = {task: PARAMS.tasks[task].guards for task in KINDS}
ITEMS, BITS, FORGOTTEN = 60, 1.2, 0.6
SEED_SD = 0.5


@dataclass(frozen=True)
class Truth:
    """A candidate beside main: `gain` points better in ROUGE-1, prices equal; what else it does.

    Its prices are those of main's own runs where they are `untouched`. Guards have margins `wide`
    times as large.
    """

    what: str
    gain: float = 0.0
    unsupported: float = 0.14
    forgets: bool = False
    untouched: bool = False
    wide: float = 1.0


EQUAL = (Truth("equal"), Truth("equal; margins so wide that none matters", wide=100))
DIFFERENT = (
    Truth("1.5 points better, trained on both tasks", gain=1.5),
    Truth("1.5 points better, prices untouched", gain=1.5, untouched=True),
    Truth("3 points better, prices untouched", gain=3, untouched=True),
    Truth("3 points worse", gain=-3),
    Truth("3 points better, unsupported facts 26 % for 14 %", gain=3, unsupported=0.26),
    Truth("3 points better, and forgets", gain=3, forgets=True),
)


def ship_table(draws: int, rng: Generator) -> Table:
    """The three verdicts of `ship`, for what is equal, better, worse, or has a price."""
    settings = [(truth, seeds) for truth in EQUAL for seeds in ((5, 5), (5, 3))]
    settings += [(truth, (5, 5)) for truth in DIFFERENT]
    rows = []
    for truth, seeds in settings:
        for n in (200, 819):
            words = Counter(_decision(rng, n, seeds, truth) for _ in range(draws))
            cells = [_cell(words[word], draws) for word in ship.EXIT_CODES]
            rows.append([truth.what, f"{seeds[0]} and {seeds[1]}", f"{n}", *cells])
    return Table(
        "Two tasks of as many test rows each: summaries, with a seed sd of "
        f"{SEED_SD:g} points, and prices, in which main and candidate are equal. Both are clearly "
        "better than the best baseline, and the guards have the margins of `conf/task/` (SHIP "
        "where nothing differs: target at most 6 %).",
        ["the candidate is", "seeds", "rows", *(f"{word} %" for word in ship.EXIT_CODES)],
        rows,
    )


def _cell(count: int, draws: int) -> str:
    return rate(number < count for number in range(draws))


def _decision(rng: Generator, rows: int, seeds: tuple[int, int], truth: Truth) -> str:
    """What `finetune ship` prints and exits by, in one draw."""
    shared = {"points": 10 * rng.normal(size=rows), **prices(rng, rows)}
    general = rng.normal(BITS, 0.3, ITEMS)
    params = {
        f"tasks.{task}.guards.{key}": margin * truth.wide
        for task, margins in GUARDS.items()
        for key, margin in margins.items()
    }
    main = [
        _run(rng, shared, general, params | _seeds(f"main{n}"), Truth("main"))
        for n in range(seeds[0])
    ]
    candidate = [
        _run(rng, shared, general, params | _seeds(f"new{n}"), truth) for n in range(seeds[1])
    ]
    if truth.untouched:
        for new, old in zip(candidate, main, strict=True):
            new.predictions["price"] = old.predictions["price"]
    sides = Configuration(tuple(main)), Configuration(tuple(candidate))
    measured = verdicts.compare(sides[0], [sides[1]], OPTIONS)
    (compared,) = verdicts.judge(measured, OPTIONS)
    return ship.decide(*sides, compared, OPTIONS).word


def _seeds(name: str) -> dict[str, object]:
    return {f"tasks.{task}.train.seed": name for task in KINDS}


def _run(
    rng: Generator, shared: Shared, general: np.ndarray, params: dict[str, object], truth: Truth
) -> Run:
    seed = float(rng.normal())
    (rouge,) = points(rng, shared["points"], 1, 0.0, 40 + truth.gain + SEED_SD * seed)
    count = rouge.size
    columns: dict[str, Columns] = {
        "samsum": {
            "rouge1": rouge,
            "has_unsupported": 100.0 * (rng.random(count) < truth.unsupported),
            "empty": rng.random(count) < 0.005,
            "hit_length_cap": rng.random(count) < 0.02,
            "reference": np.zeros(count),
        },
        "price": {
            "absolute_error": price_run(rng, shared, 0.5 * seed)["absolute_error"],
            "unparsable": np.zeros(count),
            "reference": shared["price"],
        },
    }
    bits = general + rng.normal(0.03, 0.05, ITEMS) + FORGOTTEN * truth.forgets
    predictions = {task: _rows(of) for task, of in columns.items()}
    return Run("run", params, KINDS, predictions, text=lambda path: _text(path, shared, bits))


def _rows(columns: Columns) -> list[Row]:
    names = list(columns)
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [{"id": str(n), **dict(zip(names, row, strict=True))} for n, row in enumerate(values)]


def _text(path: str, shared: Shared, bits: np.ndarray) -> str:
    """The further files of a run that `ship` reads: general text, and a baseline far behind."""
    for task in KINDS:
        if path == paths.general(task, "tuned").as_posix():
            return _lines(
                [
                    {"id": n, "part": "page", "nll": b * np.log(2) * 100, "bytes": 100}
                    for n, b in enumerate(bits.tolist())
                ]
            )
        if path == paths.metrics(task, "baselines").as_posix():
            score = {"rouge1": 25.0, "mae": 100.0}
            return json.dumps({task: {"baselines": {"constant": {"validation": score}}}})
        if path == (paths.baselines(task) / "constant.jsonl").as_posix():
            behind = {"rouge1": shared["points"] + 25, "absolute_error": 0.9 * shared["price"] + 60}
            return _lines(_rows(behind))
    raise FileNotFoundError(path)


def _lines(rows: list[Row]) -> str:
    return "\n".join(json.dumps(row) for row in rows)
