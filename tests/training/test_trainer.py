import pytest
import torch
from peft import get_peft_model_state_dict
from transformers import TrainerCallback, set_seed

from finetune.modeling import adapters
from finetune.schema import Lora, Train
from finetune.training import trainer
from finetune.training.trainer import length, train

OPTIONS = Train(
    epochs=2.0,
    max_steps=None,
    batch_size=4,
    micro_batch_size=4,
    learning_rate=0.01,
    warmup_share=0.1,
    schedule="cosine",
    weight_decay=0.0,
    max_grad_norm=1.0,
    evaluations=3,
    number_loss=0.0,
    seed=5,
)
# With dropout, so that a resumed run is only the same if the random state is, too.
LORA = Lora(r=4, alpha=8.0, dropout=0.1, target_modules="all-linear")


def examples(count: int, seed: int) -> list[dict[str, list[int]]]:
    """Prompts and completions of unequal lengths: the completion is the prompt's first id."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        size = int(torch.randint(3, 20, (1,), generator=generator))
        ids = torch.randint(10, 60, (size,), generator=generator).tolist()
        answer = ids[:1] * int(torch.randint(1, 9, (1,), generator=generator))
        made.append({"input_ids": ids + answer, "labels": [-100] * size + answer})
    return made


class Killed(Exception):
    """Stands for a kill at a set step."""


@pytest.fixture
def fit(load, tiny_model):
    """Trains a new adapter; gives its run and its weights."""

    def fitted(run_state, options=OPTIONS, lora=LORA, die_at=None, monkeypatch=None):
        set_seed(options.seed)
        model = adapters.attach(load(tiny_model, "nf4").model, lora)
        if die_at is not None:

            class Die(TrainerCallback):
                def on_step_begin(self, args, state, control, **_):
                    if state.global_step == die_at:
                        raise Killed

            made = trainer.Trainer
            monkeypatch.setattr(
                trainer,
                "Trainer",
                lambda callbacks, **rest: made(callbacks=[*callbacks, Die()], **rest),
            )
        run = train(model, 0, options, examples(18, 1), examples(6, 2), run_state, "test")
        return run, {k: v.clone() for k, v in get_peft_model_state_dict(model).items()}

    return fitted


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_two_runs_are_bit_identical_and_learn(fit, tmp_path):
    first, weights = fit(tmp_path / "a")
    again, same = fit(tmp_path / "b")
    assert_same(weights, same)
    assert first.metrics == again.metrics
    losses = [entry["eval_loss"] for entry in first.history if "eval_loss" in entry]
    assert len(losses) == 3
    assert min(losses) < losses[0]
    assert first.metrics["validation_loss"] == pytest.approx(min(losses), abs=1e-4)


def test_a_killed_run_resumes_to_the_same_adapter(fit, tmp_path, monkeypatch):
    whole, weights = fit(tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        fit(tmp_path / "killed", die_at=5, monkeypatch=patch)
    resumed, same = fit(tmp_path / "killed")
    assert resumed.hardware["resumed_at_step"] == 3
    assert_same(weights, same)
    assert resumed.metrics == whole.metrics
    steps = [(e["step"], e.get("loss"), e.get("eval_loss")) for e in resumed.history]
    assert steps == [(e["step"], e.get("loss"), e.get("eval_loss")) for e in whole.history]


def test_accumulated_micro_batches_give_the_loss_of_one_batch(fit, tmp_path):
    small = OPTIONS.model_copy(update={"micro_batch_size": 1, "max_steps": 3})
    large = OPTIONS.model_copy(update={"micro_batch_size": 4, "max_steps": 3})
    plain = LORA.model_copy(update={"dropout": 0.0})  # the two would draw it differently
    (one, _), (other, _) = fit(tmp_path / "a", small, plain), fit(tmp_path / "b", large, plain)
    losses = [[e["loss"] for e in run.history if "loss" in e] for run in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_adapter_of_the_best_validation_loss_is_kept_not_the_last(fit, tmp_path):
    diverging = OPTIONS.model_copy(
        update={"learning_rate": 0.9, "schedule": "constant_with_warmup", "evaluations": 9}
    )
    run, _ = fit(tmp_path, diverging)
    losses = [entry["eval_loss"] for entry in run.history if "eval_loss" in entry]
    assert run.metrics["validation_loss"] == pytest.approx(min(losses), abs=1e-3)
    assert min(losses) < losses[-1]


@pytest.mark.parametrize(
    ("epochs", "max_steps", "expected"),
    [(1.0, None, (25, 100)), (1.5, None, (38, 150)), (3.0, 7, (7, 28)), (1.0, 999, (25, 100))],
)
def test_a_run_is_as_long_as_epochs_and_max_steps_say(epochs, max_steps, expected):
    options = OPTIONS.model_copy(update={"epochs": epochs, "max_steps": max_steps})
    assert length(options, examples=100) == expected
