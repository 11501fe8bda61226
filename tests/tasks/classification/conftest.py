from collections.abc import Callable
from pathlib import Path

import pytest

from finetune.composition import compose

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tickets() -> Callable[..., str]:
    """Composes params.yaml with the task of tickets alone, and with other overrides."""

    def composed(*overrides: str) -> str:
        added = ["+task@tasks.tickets=tickets", "~tasks.samsum", "~tasks.price"]
        return compose(ROOT, [*added, *overrides])

    return composed
