import math
import os
import resource
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import get_peft_model_state_dict
from transformers import TrainerCallback, set_seed

from finetune.core.errors import ModelError, UserError
from finetune.core.interrupts import Interrupted
from finetune.core.schema import Lora, Run, Train
from finetune.methods import registry
from finetune.methods.lora import attach
from finetune.training import curves, evaluations, trainer
from finetune.training.budget import Budget
from finetune.training.callbacks import LiveCurves
from finetune.training.dropout import use_row_dropout
from finetune.training.losses import Loss, cross_entropy
from finetune.training.step_trainer import Setup
from finetune.training.trainer import num_steps_and_rows, train

OPTIONS = Train(
    epochs=2.0,
    max_steps=None,
    batch_size=4,
    learning_rate=0.01,
    warmup_ratio=0.1,
    schedule="cosine",
    weight_decay=0.0,
    max_grad_norm=1.0,
    num_evals=3,
    seed=5,
    deterministic=False,
)
RUN = Run(
    token_budget="auto",
    eval_token_budget="auto",
    cache_gb="auto",
    memory_gb=None,
    save_minutes=60,
    push_state=False,
    logging_steps=None,
    usd_per_hour=None,
)
VARIANTS = [
    ("qlora", {}),
    ("qlora", {"dora": True}),
    ("qlora_int8", {}),
    ("lora", {}),
    ("lora", {"init": "pissa"}),
    ("lora", {"init": "olora"}),
    ("prefix", {}),
    ("full", {}),
]
# With dropout, so that a resumed run is only the same if its draws are, too.
LORA = Lora(r=4, alpha=8.0, dropout=0.1, target_modules="all-linear")
WHOLE = Budget(10_000)


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


def setup_of(model, **changed) -> Setup:
    defaults = {
        "model": model,
        "pad_id": 0,
        "dtype": torch.float32,
        "loss": Loss(cross_entropy),
        "budget": WHOLE,
        "dropout_keys": use_row_dropout(model),
    }
    return Setup(**(defaults | changed))


class Killed(Exception):
    """Stands for a kill at a set step."""


class Fit:
    """Trains new adapters; keeps which rows each micro-batch of the last one held."""

    def __init__(self, load, folder, monkeypatch) -> None:
        self.load, self.folder, self.monkeypatch = load, folder, monkeypatch
        self.steps: list[tuple[int, tuple[int, ...]]] = []

    def __call__(
        self, run_state, options=OPTIONS, lora=LORA, die_at=None, budget=WHOLE, run=RUN,
        quantization="nf4", method=None, interrupt_at=None, at_step=lambda number: None,
        callbacks=(), **more,
    ):  # fmt: skip
        set_seed(options.seed)
        if method is None:
            model = attach(self.load(self.folder, quantization).model, lora)
        else:
            base = self.load(self.folder, method.quantization).model
            model = registry.of(method).attach(base, lora, method)
        steps = self.steps = []

        class Watched(trainer.StepTrainer):
            def training_step(self, model, inputs, num_items_in_batch=None):
                if die_at is not None and inputs["step"].number == die_at:
                    raise Killed
                if inputs["step"].number == interrupt_at:
                    os.kill(os.getpid(), signal.SIGINT)
                at_step(inputs["step"].number)
                steps.append((inputs["step"].number, inputs["step"].rows))
                return super().training_step(model, inputs, num_items_in_batch)

        with self.monkeypatch.context() as patch:
            patch.setattr(trainer, "StepTrainer", Watched)
            setup = setup_of(model, budget=budget, **more)
            rows = examples(18, 1), examples(6, 2)
            done = train(setup, options, run, *rows, run_state, "test", callbacks)
        return done, {
            name: weights.detach().clone()
            for name, weights in model.named_parameters()
            if weights.requires_grad
        }


@pytest.fixture
def fit(load, tiny_model, monkeypatch):
    return Fit(load, tiny_model, monkeypatch)


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def learned(run) -> list[dict[str, float]]:
    """A run's log without what depends on the machine: the last entry is of times."""
    return [
        {key: value for key, value in entry.items() if key not in curves.HARDWARE}
        for entry in run.history[:-1]
    ]


def furthest(first, second) -> float:
    return max((first[name] - second[name]).abs().max().item() for name in first)


def test_two_runs_are_bit_identical_and_learn(fit, tmp_path):
    first, weights = fit(tmp_path / "a")
    again, same = fit(tmp_path / "b")
    assert_same(weights, same)
    assert learned(first) == learned(again)
    assert first.metrics == again.metrics
    losses = [entry["eval_loss"] for entry in first.history if "eval_loss" in entry]
    assert len(losses) == 3
    assert min(losses) < losses[0]
    assert first.metrics["validation_loss"] == pytest.approx(min(losses), abs=1e-4)


@pytest.mark.parametrize(("name", "lora"), VARIANTS)
def test_a_killed_run_resumes_to_the_same_weights_with_the_same_rows(
    fit, tmp_path, methods, name, lora
):
    how = {"method": methods[name], "lora": LORA.model_copy(update=lora)}
    whole, weights = fit(tmp_path / "whole", **how)
    order = fit.steps
    with pytest.raises(Killed):
        fit(tmp_path / "killed", die_at=5, **how)
    before = fit.steps
    resumed, same = fit(tmp_path / "killed", **how)
    assert resumed.hardware["resumed_at_step"] == 3
    assert [*before[:3], *fit.steps] == order
    assert_same(weights, same)
    assert resumed.metrics == whole.metrics
    assert learned(resumed) == learned(whole)


@pytest.mark.parametrize("die_at", [2, 5, 8])
def test_the_points_of_a_curve_are_those_of_a_whole_run_wherever_it_was_killed(
    fit, tmp_path, die_at
):
    # Four steps a point, and a checkpoint after each: most are between points.
    sparse = RUN.model_copy(update={"logging_steps": 4, "save_minutes": 1e-9})
    whole, _ = fit(tmp_path / "whole", run=sparse)
    with pytest.raises(Killed):
        fit(tmp_path / "killed", die_at=die_at, run=sparse)
    resumed, _ = fit(tmp_path / "killed", run=sparse)
    assert resumed.hardware["resumed_at_step"] == die_at
    assert learned(resumed) == learned(whole)
    assert resumed.metrics == whole.metrics


def test_how_often_losses_are_logged_changes_no_metric(fit, tmp_path):
    often, _ = fit(tmp_path / "often")
    never, _ = fit(tmp_path / "never", run=RUN.model_copy(update={"logging_steps": 999}))
    assert often.metrics == never.metrics


# Validation loss goes up and down.
DIVERGING = OPTIONS.model_copy(
    update={"learning_rate": 0.9, "schedule": "constant_with_warmup", "num_evals": 9}
)


def test_training_stops_after_so_many_evaluations_without_improvement(fit, tmp_path):
    patient, _ = fit(tmp_path / "patient", DIVERGING)
    assert not patient.metrics["stopped_early"]
    assert "stopped_at_step" not in patient.metrics
    done = evaluations.of_history(patient.history)
    over = next(n for n in range(1, 10) if evaluations.is_over(done[:n], 2))
    assert over < 9
    stopped, _ = fit(tmp_path / "stopped", DIVERGING.model_copy(update={"patience": 2}))
    assert stopped.metrics["stopped_early"]
    assert stopped.metrics["stopped_at_step"] == over
    assert stopped.metrics["best_step"] == evaluations.best(done[:over]).step
    assert stopped.metrics["epochs"] < stopped.metrics["steps"] == patient.metrics["steps"] == 9
    # The schedule spans all steps: until it stops, a run is as without patience.
    assert learned(stopped) == learned(patient)[: len(stopped.history) - 1]


def test_a_run_that_was_killed_after_it_had_stopped_takes_no_step_more(fit, tmp_path):
    options = DIVERGING.model_copy(update={"patience": 2})
    whole, weights = fit(tmp_path / "whole", options)
    again, same = fit(tmp_path / "whole", options)  # its checkpoints are there as after a kill
    assert fit.steps == []
    assert_same(weights, same)
    assert again.metrics == whole.metrics
    assert learned(again)[: len(learned(whole))] == learned(whole)


def test_a_run_that_was_killed_while_it_had_patience_stops_where_it_would_have(fit, tmp_path):
    options = DIVERGING.model_copy(update={"patience": 2})
    whole, weights = fit(tmp_path / "whole", options)
    with pytest.raises(Killed):
        fit(tmp_path / "killed", options, die_at=whole.metrics["stopped_at_step"] - 1)
    resumed, same = fit(tmp_path / "killed", options)
    assert resumed.metrics == whole.metrics
    assert_same(weights, same)


class FakeScore:
    """Scores by step; None where there is none."""

    def __init__(self, scores: dict[int, float | None], higher_is_better: bool) -> None:
        self.scores, self.higher_is_better = scores, higher_is_better

    def __call__(self, model, step):
        assert not model.training
        torch.rand(3)  # as sampling would
        return self.scores[step]


@pytest.mark.parametrize(
    ("scores", "higher_is_better", "best"),
    [
        ({3: 1.0, 6: 3.0, 9: 2.0}, True, 6),
        ({3: 1.0, 6: 3.0, 9: 2.0}, False, 3),
        ({3: 1.0, 6: None, 9: None}, True, 3),  # without a score loses against any
        ({3: None, 6: None, 9: 0.0}, True, 9),
    ],
)
def test_the_adapter_of_the_best_score_is_kept(fit, tmp_path, scores, higher_is_better, best):
    kept = []
    run, _ = fit(tmp_path, score=FakeScore(scores, higher_is_better), keep=kept.append)
    assert kept == [3, 6, 9]
    assert run.metrics["best_step"] == best
    assert run.metrics["selected_by"] == "score"
    assert run.metrics["validation_score"] == scores[best]
    logged = {e["step"]: e["eval_loss"] for e in run.history if "eval_loss" in e}
    assert run.metrics["validation_loss"] == round(logged[best], 4)


def test_without_any_score_the_loss_chooses_and_that_is_told(fit, tmp_path, caplog):
    by_loss, weights = fit(tmp_path / "loss")
    run, same = fit(tmp_path / "none", score=FakeScore(dict.fromkeys((3, 6, 9)), True))
    assert_same(weights, same)
    assert run.metrics == by_loss.metrics
    assert run.metrics["selected_by"] == "loss"
    assert "validation_score" not in run.metrics
    assert "no evaluation gave a score" in caplog.text


def test_patience_counts_scores_where_they_choose(fit, tmp_path):
    scores = {step: float(-step) for step in range(1, 10)}
    options = OPTIONS.model_copy(update={"num_evals": 9, "patience": 3})
    run, _ = fit(tmp_path, options, score=FakeScore(scores, True))
    assert (run.metrics["best_step"], run.metrics["stopped_at_step"]) == (1, 4)


def test_curves_are_written_while_training_goes_on_and_end_as_the_whole_log(fit, tmp_path):
    folders = {tmp_path / "curves": curves.QUALITY, tmp_path / "hardware": curves.HARDWARE}

    def file() -> list[str]:
        return (tmp_path / "curves/train_loss.tsv").read_text().splitlines()

    seen = []

    class Look(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            seen.append(len(file()) if state.global_step else 0)

    with curves.writing(folders) as writer:
        run, _ = fit(tmp_path / "state", callbacks=[LiveCurves(writer), Look()])
    assert seen == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    grown = file()
    curves.write(run.history, folders)
    assert file() == grown


def test_the_time_of_a_run_is_that_of_all_its_processes(fit, tmp_path, monkeypatch):
    now = iter(range(0, 100_000_000, 60))
    monkeypatch.setattr("finetune.training.callbacks.time.monotonic", lambda: next(now))
    whole, _ = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tmp_path / "killed", die_at=7)
    resumed, _ = fit(tmp_path / "killed")
    assert resumed.hardware["resumed_at_step"] == 6
    assert resumed.hardware["minutes"] > 0.6 * whole.hardware["minutes"]


def test_ctrl_c_saves_after_the_step_and_the_same_command_resumes_there(fit, tmp_path):
    whole, weights = fit(tmp_path / "whole")
    with pytest.raises(Interrupted, match="saved after step 5 of 9; the same command resumes"):
        fit(tmp_path / "stopped", interrupt_at=4)
    resumed, same = fit(tmp_path / "stopped")
    assert resumed.hardware["resumed_at_step"] == 5
    assert_same(weights, same)
    assert learned(resumed) == learned(whole)


def test_a_full_disk_during_a_save_is_one_line_and_costs_no_earlier_checkpoint(fit, tmp_path):
    whole, weights = fit(tmp_path / "whole")

    def fill(number):
        if number == 5:  # after the checkpoint of step 3; what the optimizer holds is larger
            limit(4096)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    try:
        with pytest.raises(UserError) as full:
            fit(tmp_path / "full", at_step=fill)
    finally:
        limit(soft)
    said = str(full.value)
    assert "checkpoint-6 could not be saved" in said
    assert "free some disk space, then the same command resumes from checkpoint-3" in said
    assert "\n" not in said
    assert [path.name for path in (tmp_path / "full").glob("checkpoint-*")] == ["checkpoint-3"]
    resumed, same = fit(tmp_path / "full")
    assert resumed.hardware["resumed_at_step"] == 3
    assert_same(weights, same)
    assert learned(resumed) == learned(whole)


def test_a_truncated_checkpoint_is_set_aside_and_the_one_before_gives_the_same(fit, tmp_path):
    _, weights = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tmp_path / "killed", die_at=7)
    file = tmp_path / "killed/checkpoint-6/adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    resumed, same = fit(tmp_path / "killed")
    assert resumed.hardware["resumed_at_step"] == 3
    assert (tmp_path / "killed/damaged-checkpoint-6").is_dir()
    assert_same(weights, same)


def test_a_run_state_that_was_moved_resumes(fit, tmp_path):
    _, weights = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tmp_path / "here", die_at=7)
    (tmp_path / "here").rename(tmp_path / "there")
    resumed, same = fit(tmp_path / "there")
    assert resumed.hardware["resumed_at_step"] == 6
    assert_same(weights, same)


def test_a_checkpoint_is_saved_between_evaluations_too(fit, tmp_path):
    often = RUN.model_copy(update={"save_minutes": 1e-9})
    with pytest.raises(Killed):
        fit(tmp_path, die_at=5, run=often)
    resumed, _ = fit(tmp_path, run=often)
    assert resumed.hardware["resumed_at_step"] == 5


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_what_is_learned_does_not_depend_on_the_micro_batches(fit, tmp_path, dropout):
    options = OPTIONS.model_copy(update={"batch_size": 16, "num_evals": 1, "learning_rate": 1e-3})
    lora = LORA.model_copy(update={"dropout": dropout})
    whole, weights = fit(tmp_path / "whole", options, lora, quantization="none")
    for budget in (Budget(1), Budget(40), Budget(77), Budget(1, gradient_checkpointing=True)):
        run, same = fit(tmp_path / str(budget), options, lora, budget=budget, quantization="none")
        # A step moves a weight by up to 1e-3; the order of sums differs by processor and batch.
        assert furthest(weights, same) < 1e-5
        losses = [[e["loss"] for e in r.history if "loss" in e] for r in (whole, run)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
        assert run.metrics["validation_loss"] == whole.metrics["validation_loss"]


@pytest.mark.parametrize("name", ["qlora_int8", "prefix", "full"])
def test_so_it_does_not_with_other_methods(fit, tmp_path, methods, name):
    options = OPTIONS.model_copy(update={"batch_size": 16, "num_evals": 1, "learning_rate": 1e-3})
    lora = LORA.model_copy(update={"dropout": 0.0})
    whole, weights = fit(tmp_path / "whole", options, lora, method=methods[name])
    budgets = [Budget(1), Budget(77)]
    if registry.of(methods[name]).CAN_CHECKPOINT:
        budgets.append(Budget(1, gradient_checkpointing=True))
    for budget in budgets:
        run, same = fit(tmp_path / str(budget), options, lora, budget=budget, method=methods[name])
        # Of all weights there are some whose gradient is as small as its rounding; AdamW divides
        # by it.
        assert furthest(weights, same) < (1e-4 if name == "full" else 1e-5)
        assert run.metrics["validation_loss"] == whole.metrics["validation_loss"]


def test_validation_loss_is_the_mean_over_tokens_whatever_batches_they_are_in(fit, tmp_path):
    run, _ = fit(tmp_path, OPTIONS.model_copy(update={"learning_rate": 1e-9, "max_steps": 1}))
    model = fit.load(fit.folder, "nf4").model
    losses = []
    for example in examples(6, 2):
        logits = model(input_ids=torch.tensor([example["input_ids"]])).logits[0].log_softmax(-1)
        losses += [
            -logits[place - 1, label].item()
            for place, label in enumerate(example["labels"])
            if label != -100
        ]
    assert run.metrics["validation_loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_the_adapter_of_the_best_validation_loss_is_kept_not_the_last(fit, tmp_path):
    run, _ = fit(tmp_path, DIVERGING)
    losses = [entry["eval_loss"] for entry in run.history if "eval_loss" in entry]
    assert run.metrics["validation_loss"] == pytest.approx(min(losses), abs=1e-3)
    assert min(losses) < losses[-1]


class Poison:
    """A loss that stops being a number, or whose gradient does, at its third call."""

    def __init__(self, what: str) -> None:
        self.what, self.calls = what, 0

    def __call__(self, logits, targets):
        self.calls += 1
        loss = cross_entropy(logits, targets)
        if self.calls < 3:
            return loss
        if self.what == "loss":
            return loss * math.nan
        # Zero at a square root: a finite loss with an infinite gradient.
        return loss + (logits.sum() * 0).sqrt()


@pytest.mark.parametrize("what", ["loss", "gradient norm"])
def test_a_value_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(
    load, tiny_model, tmp_path, what
):
    set_seed(1)
    model = attach(load(tiny_model, "nf4").model, LORA)
    setup = setup_of(model, loss=Loss(Poison(what)))
    often = RUN.model_copy(update={"save_minutes": 1e-9})
    with pytest.raises(
        ModelError, match=f"the {what} of optimizer step 3 is not a finite"
    ) as raised:
        train(setup, OPTIONS, often, examples(18, 1), examples(6, 2), tmp_path, "test")
    assert "\n" not in str(raised.value)
    assert (tmp_path / "checkpoint-2/trainer_state.json").is_file()


def test_float16_is_trained_with_a_loss_scaler_and_nothing_else_is(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        trainer, "TrainingArguments", lambda **given: asked.append(given) or SimpleNamespace()
    )
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        trainer._arguments(OPTIONS, RUN, 10, 10, tmp_path, dtype)
    assert [given["fp16"] for given in asked] == [True, False, False]
    assert not any(given["logging_nan_inf_filter"] for given in asked)


def test_what_trackers_are_told_holds_no_absolute_path(tmp_path):
    arguments = trainer._arguments(OPTIONS, RUN, 10, 10, tmp_path / "state", torch.float32)
    told = [value for value in arguments.to_dict().values() if isinstance(value, str)]
    assert not [value for value in told if Path(value).is_absolute()]


def test_a_second_gpu_takes_no_steps(fit, tmp_path, monkeypatch):
    _, weights = fit(tmp_path / "one")
    steps = fit.steps
    made = trainer.TrainingArguments

    def with_two(**given):
        arguments = made(**given)
        arguments._n_gpu = 2  # as where two GPUs are to be seen
        return arguments

    monkeypatch.setattr(trainer, "TrainingArguments", with_two)
    _, same = fit(tmp_path / "two")
    assert fit.steps == steps
    assert_same(weights, same)


def test_checkpointing_computes_16_bit_layers_with_dropout_again_alike(load, tiny_model, tmp_path):
    grads = []
    for budget in (WHOLE, Budget(10_000, gradient_checkpointing=True)):
        set_seed(5)
        model = attach(load(tiny_model).model.to(torch.bfloat16), LORA)
        setup = setup_of(model, dtype=torch.bfloat16, budget=budget)
        options = OPTIONS.model_copy(update={"max_steps": 1})
        folder = tmp_path / str(budget.gradient_checkpointing)
        train(setup, options, RUN, examples(8, 1), examples(2, 2), folder, "test")
        grads.append({k: v.clone() for k, v in get_peft_model_state_dict(model).items()})
    assert furthest(*grads) < 1e-3


@pytest.mark.parametrize(
    ("epochs", "max_steps", "expected"),
    [(1.0, None, (25, 100)), (1.5, None, (38, 150)), (3.0, 7, (7, 28)), (1.0, 999, (25, 100))],
)
def test_a_run_is_as_long_as_epochs_and_max_steps_say(epochs, max_steps, expected):
    options = OPTIONS.model_copy(update={"epochs": epochs, "max_steps": max_steps})
    assert num_steps_and_rows(options, examples=100) == expected
