from dataclasses import replace
from pathlib import Path

import pytest
import torch

from finetune.core import params
from finetune.planning import lengths, machines, plan, skeleton
from finetune.planning.lengths import Lengths, RowLength
from finetune.planning.machines import Machine
from finetune.planning.plan import GB

ROOT = Path(__file__).parents[2]


@pytest.fixture
def known(tiny_model):
    """The default's parameters, with a tiny model and short runs."""
    found = params.read(ROOT / "params.yaml")
    model = found.model.model_copy(update={"name": str(tiny_model)})
    train = found.train.model_copy(update={"epochs": 2.0, "batch_size": 16})
    return found.model_copy(update={"model": model, "train": train})


@pytest.fixture
def rows(monkeypatch):
    """400 rows of 100 tokens, at most 500; the task's longest prompt bounds them."""

    def of(given, task):
        longest = min(500, given.tasks[task].prompt.max_tokens)
        return Lengths(400, 40_000, longest, RowLength(80, 20), "")

    monkeypatch.setattr(lengths, "of", of)


def machine(free_gb: float, device: str = "cpu") -> Machine:
    return Machine("a machine", device, round(free_gb * GB), 1e12, "a guess")


def test_quantized_weights_are_dequantized_once_where_a_quarter_of_the_memory_holds_them(known):
    size = plan.of(known, "samsum", machine(16)).parts["dequantized weights"]
    assert "dequantized weights" not in plan.of(known, "samsum", machine(3 * size / GB)).parts


def test_steps_tokens_and_time_follow_from_rows_and_parameters(known, rows):
    found = plan.of(known, "samsum", machine(16))
    assert (found.steps, found.tokens) == (50, 80_000)
    assert found.budget.tokens == 1024
    assert found.peak == sum(found.parts.values())
    assert list(found.parts) == [
        "weights", "quantization constants", "dequantized weights", "adapter",
        "gradients and optimizer", "libraries", "activations", "logits",
    ]  # fmt: skip
    shapes = skeleton.config(known.model)
    rows_of = lengths.of(known, "samsum")
    model = skeleton.build(shapes, known.method, known.lora, torch.float32, rows_of, False)
    # A forward pass and the gradients of its activations, at 10¹² operations a second.
    assert found.seconds == pytest.approx(4 * model.matmul_parameters * 80_000 / 1e12)
    assert 0.2 * 64 * 1_800 < model.matmul_parameters < model.parameters
    twice = plan.of(known, "samsum", Machine("", "cpu", round(16 * GB), 2e12, ""))
    assert twice.seconds == pytest.approx(found.seconds / 2)


def test_what_does_not_fit_is_told_with_the_smallest_change_that_does(known, rows):
    base = plan.of(known, "samsum", machine(16))
    held = sum(base.parts[n] for n in base.parts if n not in ("activations", "logits")) / GB
    # Enough for 128 tokens with gradient checkpointing, and not for 500.
    tight = plan.of(known, "samsum", machine(held + 0.006))
    assert tight.budget is None
    assert tight.advice.startswith("-S tasks.samsum.prompt.max_tokens=")
    assert "which takes" in tight.advice
    hopeless = plan.of(known, "samsum", machine(held / 2))
    assert hopeless.budget is None
    assert hopeless.advice == "a smaller model, or a machine with more memory"


def test_four_bits_are_proposed_before_shorter_prompts(known, rows, monkeypatch):
    method = known.method.model_copy(update={"quantization": "none"})
    plain = known.model_copy(update={"method": method})
    # Weights so large that nothing but quantizing them makes room.
    build = skeleton.build

    def heavy(shapes, given, *rest):
        weights = 10**9 if given.quantization == "none" else 10**8
        return replace(build(shapes, given, *rest), weights=weights)

    monkeypatch.setattr(skeleton, "build", heavy)
    found = plan.of(plain, "samsum", machine(1.5))
    assert found.budget is None
    assert found.advice.startswith("-S method=qlora, which takes ")


def test_lengths_are_those_that_training_counts(known):
    found = lengths.of(known, "price")
    assert (found.rows, found.remark) == (600, "")
    assert 0 < found.learned_rate < 0.5
    assert found.longest <= found.tokens / found.rows * 10


def test_without_the_tokenizer_lengths_are_estimated_and_marked(known):
    hub = known.model.model_copy(update={"name": "who/what", "source": "hub"})
    counted = lengths.of(known, "samsum")
    found = lengths.of(known.model_copy(update={"model": hub}), "samsum")
    assert found.rows == counted.rows
    assert found.remark == "4 characters a token: the tokenizer of who/what is not on this machine"
    assert 0.3 < found.tokens / counted.tokens < 3


def test_without_rows_they_are_assumed_and_marked(known, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = known.data.model_copy(update={"source": "hub"})
    found = lengths.of(known.model_copy(update={"data": data}), "samsum")
    assert found.rows == 10_000
    assert found.remark.startswith("10,000 rows and 200 tokens a row are assumed")


def test_a_gpu_that_is_not_here_is_planned_in_sixteen_bits(known, rows):
    fixed = known.model_copy(update={"run": known.run.model_copy(update={"token_budget": 512})})
    here, there = (plan.of(fixed, "samsum", machine(16, device)) for device in ("cpu", "cuda"))
    # Half the bytes a number, and no heap with holes.
    assert there.parts["activations"] < 0.5 * here.parts["activations"]
    assert "libraries" not in there.parts
    assert machines.of("t4", None).device == "cuda"


def test_of_several_processes_memory_is_each_ones_and_speed_that_of_all(known, rows):
    four = known.model_copy(update={"run": known.run.model_copy(update={"processes": 4})})
    gpu = machine(16, "cuda")
    one, all_four = plan.of(known, "samsum", gpu), plan.of(four, "samsum", gpu.split(4))
    assert all_four.seconds == pytest.approx(one.seconds / 3.6)
    assert (all_four.steps, all_four.tokens) == (one.steps, one.tokens)
    assert all_four.parts["weights"] == one.parts["weights"]
    # A process has 4 of a step's 16 rows, of at most 500 tokens.
    assert all_four.parts["activations"] < 0.3 * one.parts["activations"]
    assert "90 %" in gpu.split(4).assumption
    assert "not measured" in gpu.split(4).assumption
    cpu = machine(16).split(4)
    assert (cpu.free, cpu.flops) == (4 * GB, machine(16).flops)
    assert machine(16).split(1) == machine(16)


def test_branches_of_a_loss_are_tokens_of_every_row(known, digits_model):
    def changed(form, model):
        price = known.tasks["price"]
        train = price.train.model_copy(update={"number_loss_form": form})
        task = price.model_copy(update={"train": train})
        return known.model_copy(update={"model": model, "tasks": {"price": task}})

    digits = known.model.model_copy(update={"name": str(digits_model)})
    plain, branched = (lengths.of(changed(form, digits), "price") for form in ("auto", "prices"))
    assert (plain.branches, branched.branches) == (0, 99)
    assert branched.tokens == plain.tokens + 99 * plain.rows
    assert branched.longest == plain.longest + 99
    assert branched.learned_rate > plain.learned_rate
    assert branched.remark == ""
    elsewhere = known.model.model_copy(update={"name": "who/what", "source": "hub"})
    estimated = lengths.of(changed("prices", elsewhere), "price")
    assert estimated.branches == 99
    assert "99 branches a row, as if each character were a token" in estimated.remark
    plans = {}
    for form in ("auto", "prices"):
        plans[form] = plan.of(changed(form, digits), "price", machine(16))
    assert plans["prices"].tokens > plans["auto"].tokens
    assert plans["prices"].seconds > plans["auto"].seconds


def test_a_head_learns_one_number_a_row(known):
    method = known.method.model_copy(update={"tuner": "regression_head"})
    price = known.model_copy(update={"method": method, "tasks": {"price": known.tasks["price"]}})
    found = lengths.of(price, "price")
    assert found.branches == 0
    assert found.densest.completion == 1


def test_rows_of_a_mixture_are_those_of_all_its_tasks(known):
    samsum = known.tasks["samsum"]
    weights = {"price": 0.25}
    train = samsum.train.model_copy(update={"mix": weights})
    tasks = {**known.tasks, "samsum": samsum.model_copy(update={"train": train})}
    alone = [lengths.of(known, task) for task in ("samsum", "price")]
    mixed = lengths.of(known.model_copy(update={"tasks": tasks}), "samsum")
    assert mixed.rows == 600 + 150
    assert mixed.tokens == pytest.approx(
        alone[0].tokens + 0.25 * (alone[1].tokens - alone[1].branches * 600), rel=0.05
    )
    assert mixed.longest == max(each.longest for each in alone)
