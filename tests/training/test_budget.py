import functools
import logging

import pytest
import torch

from finetune.core.errors import SCORING, ModelError
from finetune.core.schema import Lora, Run
from finetune.methods.lora import attach
from finetune.modeling import footprint
from finetune.modeling.footprint import Footprint
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry as tasks
from finetune.tasks.price.options import PriceTrain
from finetune.training import budget
from finetune.training.budget import Budget, choose, resolve
from finetune.training.micro_batches import micro_batches, summed_loss

MB = 10**6
# A token takes 1 MB, or 0.1 with its layers' activations computed twice; memory is twice that.
PLAIN, CHECKPOINTED = Footprint(5 * MB, 1 * MB), Footprint(25 * MB, 0.1 * MB)


@pytest.fixture(autouse=True)
def _twice_the_tensors(monkeypatch):
    monkeypatch.setattr(budget, "HEAP_OVERHEAD", {"cpu": 2.0})


def measure(checkpointing: bool) -> Footprint:
    return CHECKPOINTED if checkpointing else PLAIN


@pytest.mark.parametrize(
    ("free_mb", "longest", "expected"),
    [
        (20_000, 800, Budget(1024)),  # no more than the cap
        (2_000, 500, Budget(512)),  # a power of two below 845
        (2_000, 800, Budget(512)),  # the longest row fits by itself
        (1_500, 800, Budget(1024, gradient_checkpointing=True)),
        (250, 800, Budget(512, gradient_checkpointing=True)),
    ],
)
def test_auto_takes_what_fits_and_checkpoints_where_a_row_does_not(free_mb, longest, expected):
    assert choose("auto", longest, free_mb * MB, "cpu", measure) == expected


def test_a_little_more_memory_gives_the_same_budget():
    budgets = {choose("auto", 300, free * MB, "cpu", measure) for free in range(1_300, 2_400, 50)}
    assert budgets == {Budget(512)}


def test_a_budget_that_is_asked_for_is_checkpointed_where_it_does_not_fit():
    assert choose(700, 300, 3_000 * MB, "cpu", measure) == Budget(700)
    assert choose(5_000, 300, 3_000 * MB, "cpu", measure) == Budget(5_000, True)
    with pytest.raises(ModelError, match=r"run.token_budget: 90000 tokens .* to 12500 or less"):
        choose(90_000, 300, 3_000 * MB, "cpu", measure)


def test_a_row_that_does_not_fit_is_refused_with_what_would():
    message = (
        r"longest row has 800 tokens, .* lower prompt.max_tokens, so that .* 175 tokens or less"
    )
    with pytest.raises(ModelError, match=message) as raised:
        choose("auto", 800, 100 * MB, "cpu", measure)
    assert "\n" not in str(raised.value)
    with pytest.raises(
        ModelError, match="are free beside gradients and optimizer: take a smaller model, or"
    ):
        choose("auto", 800, 60 * MB, "cpu", measure)


def test_a_method_that_cannot_be_checkpointed_never_is(tmp_path):
    never = {"can_checkpoint": False}
    assert choose("auto", 800, 2_000 * MB, "cpu", measure, **never) == Budget(512)
    with pytest.raises(ModelError, match="checkpointing not possible with this method; ") as e:
        choose("auto", 800, 1_500 * MB, "cpu", measure, **never)
    assert "\n" not in str(e.value)
    resolve(tmp_path, "auto", lambda: Budget(128), ran_out_of_memory=False)
    again = resolve(tmp_path, "auto", lambda: Budget(128), ran_out_of_memory=True, **never)
    assert again == Budget(128)


def test_a_resumed_run_keeps_its_budget_while_it_fits(tmp_path, caplog):
    assert resolve(tmp_path, "auto", lambda: Budget(512), ran_out_of_memory=False) == Budget(512)
    assert resolve(tmp_path, "auto", lambda: Budget(1024), ran_out_of_memory=False) == Budget(512)
    assert caplog.text == ""
    assert resolve(tmp_path, "auto", lambda: Budget(256), ran_out_of_memory=False) == Budget(256)
    assert "resumes with 256 tokens a micro-batch where it began with 512" in caplog.text
    resumed = resolve(tmp_path, "auto", lambda: Budget(512, True), ran_out_of_memory=False)
    assert resumed == Budget(512, True)  # less memory than 256 without checkpointing


def test_a_forced_change_resumes_and_says_so(tmp_path, caplog):
    resolve(tmp_path, "auto", lambda: Budget(1024), ran_out_of_memory=False)
    with caplog.at_level(logging.WARNING):
        assert resolve(tmp_path, 512, lambda: Budget(512), ran_out_of_memory=False) == Budget(512)
    assert "resumes with 512 tokens a micro-batch where it began with 1024" in caplog.text
    assert "up to rounding" in caplog.text


def test_a_budget_that_ran_out_of_memory_is_halved(tmp_path):
    resolve(tmp_path, "auto", lambda: Budget(512), ran_out_of_memory=False)
    for expected in (Budget(256), Budget(128), Budget(128, True)):
        resumed = resolve(tmp_path, "auto", lambda: Budget(512), ran_out_of_memory=True)
        assert resumed == expected


def test_a_run_that_runs_out_of_memory_resumes_with_half(tmp_path, caplog):
    def fails(error: Exception) -> None:
        with budget.halve_on_out_of_memory(tmp_path, "auto", Budget(1024)):
            raise error

    with pytest.raises(RuntimeError):
        fails(RuntimeError("something else"))
    assert not (tmp_path / "budget.json").exists()
    with pytest.raises(torch.OutOfMemoryError):
        fails(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert "resumes with 512 tokens a micro-batch" in caplog.text
    resumed = resolve(tmp_path, "auto", lambda: Budget(1024), ran_out_of_memory=False)
    assert resumed == Budget(512)


def test_a_budget_that_the_parameters_set_and_that_of_scoring_rows_are_not_halved(tmp_path, caplog):
    of_scoring = torch.OutOfMemoryError("CUDA out of memory")
    of_scoring.add_note(SCORING)
    for asked, error in (
        (1024, torch.OutOfMemoryError("CUDA out of memory")),
        ("auto", of_scoring),
    ):
        with (
            pytest.raises(torch.OutOfMemoryError),
            budget.halve_on_out_of_memory(tmp_path, asked, Budget(1024)),
        ):
            raise error
    assert caplog.text == ""
    assert not (tmp_path / "budget.json").exists()


def test_a_run_is_planned_from_the_memory_that_it_may_use(load, tiny_model):
    lora = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
    model = attach(load(tiny_model, "nf4").model, lora)
    examples = [{"input_ids": [5] * 40, "labels": [-100] * 30 + [5] * 10}]
    options = Run(
        token_budget="auto",
        eval_token_budget="auto",
        cache_gb="auto",
        memory_gb=3.5,
        save_minutes=10,
        push_state=False,
        logging_steps=None,
        usd_per_hour=None,
    )
    estimated = budget.estimate(options, model, torch.float32, examples, free=10 * MB)
    assert estimated.tokens < 1024
    assert not any(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_loss_with_branches_is_measured_as_it_runs(load, digits_model, prompt, checkpointing):
    base = load(digits_model)
    train = PriceTrain.model_construct(number_loss=2.0, number_loss_form="prices")
    loss = tasks.loss("price").loss(PromptEncoder(base.tokenizer, prompt, base.context), train)
    lora = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
    model = attach(base.model, lora)
    lengths = (30, 60, 90)
    examples = [{"input_ids": [5] * n, "labels": [-100] * (n - 3) + [5] * 3} for n in lengths]
    estimated = budget._footprint(model, torch.float32, examples, loss, checkpointing)
    for indices, batch in micro_batches(examples * 3, 600, 0, loss.paths):
        chosen = [(examples * 3)[i] for i in indices]
        run = functools.partial(summed_loss, model, torch.float32, loss, batch, chosen)
        real = footprint._peak_of(model, run, checkpointing)
        assert estimated.bytes_for(batch["input_ids"].numel()) == pytest.approx(real, rel=0.2)
