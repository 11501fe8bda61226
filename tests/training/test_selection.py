from types import SimpleNamespace

import pytest

from finetune.core.files import read_json
from finetune.inference import budgets
from finetune.inference.budgets import Budgets
from finetune.training.selection import BUDGETS, ScoredRows, ValidationScore


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Scores validation rows until memory runs out; gives the budgets of the next try."""

    def broken(*_):
        raise MemoryError

    monkeypatch.setattr(ScoredRows, "predictions", broken)

    def fail(tokens: int | str, cache_gb: float | str) -> Budgets:
        options = SimpleNamespace(eval_token_budget=tokens, cache_gb=cache_gb)
        fitting = Budgets(64 if tokens == "auto" else tokens, 2**20)
        monkeypatch.setattr(budgets, "resolve", lambda run, model: fitting)
        scored = ScoredRows("price", None, None, None, None, [], [])
        score = ValidationScore(None, scored, options, tmp_path, "validate")
        with pytest.raises(MemoryError):
            score(None, 1)
        return Budgets(**read_json(tmp_path / BUDGETS))

    return fail


def test_where_memory_runs_out_each_further_try_has_half(failing, caplog):
    assert failing("auto", "auto") == Budgets(32, 2**19)
    assert failing("auto", "auto") == Budgets(16, 2**18)
    assert "resumes with half the batch" in caplog.text


def test_budgets_that_the_parameters_set_are_not_halved(failing, caplog):
    assert failing(100, "auto") == Budgets(100, 2**19)
    assert failing(200, 1.0) == Budgets(200, 2**20)
    caplog.clear()
    failing(200, 1.0)
    assert "half" not in caplog.text
