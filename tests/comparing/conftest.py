"""Runs made of errors of prices, for what compares them."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Run


def price_run(name: str, errors: Sequence[float], **params: object) -> Run:
    """A run of the task `price` with these absolute errors in USD."""
    rows = [
        {
            "id": str(n),
            "reference": float(n),
            "prediction": float(abs(n + e)),
            "absolute_error": float(e),
            "hit": 100.0 * (e < 90),
            "unparsable": False,
        }
        for n, e in enumerate(errors)
    ]
    values = {
        "tasks.price.kind": "price",
        "tasks.price.score.hit_within": 40.0,
        "train.seed": 1,
        "tasks.price.train.seed": 1,
        "lora.r": 16,
    }
    return Run(name, values | params, {"price": "price"}, {"price": rows})


@pytest.fixture
def run() -> Callable[..., Run]:
    """Makes a run; see `price_run`."""
    return price_run


@pytest.fixture
def configuration() -> Callable[..., Configuration]:
    """Makes a configuration of runs with errors [seeds, rows] and seeds from 1."""

    def made(name: str, errors: np.ndarray, **params: object) -> Configuration:
        return Configuration(
            tuple(
                price_run(
                    name if seed == 1 else f"{name}-seed{seed}",
                    of_seed,
                    **{"train.seed": seed, "tasks.price.train.seed": seed, **params},
                )
                for seed, of_seed in enumerate(errors, 1)
            )
        )

    return made
