"""The repository's parameters, and a folder with the metric files of a task."""

from pathlib import Path

import pytest

from finetune.core import params
from finetune.core.schema import Params

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def settings() -> Params:
    return params.read(ROOT / "params.yaml")
