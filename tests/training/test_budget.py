import logging

import pytest

from finetune.errors import ModelError
from finetune.modeling import adapters
from finetune.modeling.footprint import Footprint
from finetune.schema import Lora, Run
from finetune.training import budget
from finetune.training.budget import Budget, fitting, settled

MB = 10**6
# A token takes 1 MB, or 0.1 with its layers' activations computed twice; a CPU holds twice that.
PLAIN, CHECKPOINTED = Footprint(5 * MB, 1 * MB), Footprint(25 * MB, 0.1 * MB)


def measure(checkpointing: bool) -> Footprint:
    return CHECKPOINTED if checkpointing else PLAIN


@pytest.mark.parametrize(
    ("free_mb", "longest", "expected"),
    [
        (20_000, 800, Budget(2048)),  # no more than the cap
        (3_000, 800, Budget(1024)),  # a power of two below 1,270
        (2_000, 800, Budget(512)),  # of 845: the longest row fits by itself
        (1_500, 800, Budget(2048, gradient_checkpointing=True)),
        (300, 800, Budget(1024, gradient_checkpointing=True)),
    ],
)
def test_auto_takes_what_fits_and_checkpoints_where_a_row_does_not(free_mb, longest, expected):
    assert fitting("auto", longest, free_mb * MB, "cpu", measure) == expected


def test_a_little_more_memory_gives_the_same_budget():
    found = {fitting("auto", 300, free * MB, "cpu", measure) for free in range(2_500, 4_800, 50)}
    assert found == {Budget(1024)}


def test_a_budget_that_is_asked_for_is_checkpointed_where_it_does_not_fit():
    assert fitting(700, 300, 3_000 * MB, "cpu", measure) == Budget(700)
    assert fitting(5_000, 300, 3_000 * MB, "cpu", measure) == Budget(5_000, True)
    with pytest.raises(ModelError, match=r"run.token_budget=90000 takes .* to 12500 or less"):
        fitting(90_000, 300, 3_000 * MB, "cpu", measure)


def test_a_row_that_does_not_fit_is_refused_with_what_would():
    with pytest.raises(ModelError, match=r"the longest row .* prompt.max_tokens to 175 or") as told:
        fitting("auto", 800, 100 * MB, "cpu", measure)
    assert "\n" not in str(told.value)


def refuse() -> Budget:
    raise AssertionError("is not asked for")


def test_a_resumed_run_keeps_its_budget(tmp_path):
    assert settled(tmp_path, "auto", lambda: Budget(1024), was_too_large=False) == Budget(1024)
    assert settled(tmp_path, "auto", refuse, was_too_large=False) == Budget(1024)
    assert settled(tmp_path, 1024, refuse, was_too_large=False) == Budget(1024)


def test_a_forced_change_resumes_and_says_so(tmp_path, caplog):
    settled(tmp_path, "auto", lambda: Budget(1024), was_too_large=False)
    with caplog.at_level(logging.WARNING):
        assert settled(tmp_path, 512, lambda: Budget(512), was_too_large=False) == Budget(512)
    assert "resumes with 512 tokens a micro-batch where it began with 1024" in caplog.text
    assert "up to rounding" in caplog.text


def test_a_budget_that_was_too_large_is_halved(tmp_path):
    settled(tmp_path, "auto", lambda: Budget(512), was_too_large=False)
    assert settled(tmp_path, "auto", refuse, was_too_large=True) == Budget(256)
    assert settled(tmp_path, "auto", refuse, was_too_large=True) == Budget(128)
    assert settled(tmp_path, "auto", refuse, was_too_large=True) == Budget(128, True)


def test_a_run_is_planned_from_the_memory_that_it_may_use(load, tiny_model, monkeypatch):
    lora = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
    model = adapters.attach(load(tiny_model, "nf4").model, lora)
    examples = [{"input_ids": [5] * 40, "labels": [-100] * 30 + [5] * 10}]
    asked = []
    monkeypatch.setattr(budget, "available_on", lambda *given: asked.append(given) or 10 * MB)
    options = Run(
        token_budget="auto",
        eval_token_budget="auto",
        cache_gb="auto",
        memory_gb=3.5,
        save_minutes=10,
        logging_steps=None,
        usd_per_hour=None,
    )
    found = budget.planned(options, model, examples)
    assert asked == [("cpu", 3.5)]
    assert 128 <= found.tokens < 2048
    assert not any(p.grad is not None for p in model.parameters())
