"""What `finetune monitor` says of requests that have drifted, and of some that have not."""

from dataclasses import dataclass
from itertools import islice
from random import Random

import numpy as np
from numpy.random import Generator

from finetune.monitoring import drift
from finetune.monitoring.drift import Distributions, Rates
from simulations.tables import LEVEL, Table, amount, rate
from synthetic.rows import dialogues

REQUESTS = (50, 200)
TRAIN, TEST = 600, 200  # rows of the default
POOL = 4000
RESAMPLES = 199


@dataclass(frozen=True)
class Case:
    """Drift of the requests: inputs that are longer by a factor, and the fraction of refusals."""

    label: str
    longer: float = 1.0
    refused: float = 0.0


CASES = (
    Case("no drift"),
    Case("inputs longer by 10 %", longer=1.1),
    Case("5 % refused", refused=0.05),
)


def alarms(draws: int, rng: Generator) -> Table:
    """How often a call finds drift."""
    inputs, answers = _lengths()
    rows = []
    for case in CASES:
        found = [
            rate(_is_found(case, count, inputs, answers, rng) for _ in range(draws))
            for count in REQUESTS
        ]
        rows.append([case.label, *found])
    return Table(
        "How often `finetune monitor` finds drift (nominal at most 5 % where there is none): "
        "lengths of the default's dialogues and summaries, 600 train rows, 200 answers, five "
        "comparisons a call, 199 permutations.",
        ["requests", *(amount(count) for count in REQUESTS)],
        rows,
    )


def _lengths() -> tuple[np.ndarray, np.ndarray]:
    """Characters of dialogues and of their summaries, which stand in for answers."""
    rows = list(islice(dialogues.rows(Random(17)), POOL))
    inputs, answers = ([float(len(row[key])) for row in rows] for key in ("dialogue", "summary"))
    return np.array(inputs), np.array(answers)


def _is_found(
    case: Case, count: int, inputs: np.ndarray, answers: np.ndarray, rng: Generator
) -> bool:
    """Whether one call finds any drift."""
    asked, train = rng.choice(inputs, count), rng.choice(inputs, TRAIN)
    refused = int((rng.random(count) < case.refused).sum())
    answered = count - refused
    said, known = rng.choice(answers, answered), rng.choice(answers, TEST)
    compared = drift.compare(
        [
            Distributions("inputs", "", list(np.round(case.longer * asked)), list(train)),
            Distributions("answers", "", list(said), list(known)),
            Rates("refused", (refused, count), (0, TEST)),
            Rates("no answer", (0, answered), (0, TEST)),
            Rates("truncated", (0, answered), (0, TEST)),
        ],
        int(rng.integers(2**31)),
        RESAMPLES,
    )
    return any(each.adjusted < LEVEL for each in compared)
