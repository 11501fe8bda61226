"""Our own engine against the reference: the same tokens, probabilities and likelihoods, in fp32.

On rows of the tasks and with the prompts of `conf/`, by the embedded model with a LoRA adapter that
does something, by a model that splits numbers, and by one with a trained prefix.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from transformers import set_seed

from finetune.composition import compose
from finetune.core import params
from finetune.core.schema import Embedded, Lora, Task, TextEval
from finetune.data import sources
from finetune.inference.budgets import Budgets
from finetune.inference.choices import Distribution
from finetune.inference.continuations import longer_numbers
from finetune.inference.engines import builtin, reference
from finetune.inference.generate import Generated, GenerationContext
from finetune.inference.predict import EvalSpec, predict
from finetune.methods import lora, prefix
from finetune.modeling.base import Base
from finetune.modeling.choice_tree import choice_tree
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks import registry
from finetune.tasks.price.rows import PRICES

ROOT = Path(__file__).parents[3]
ROWS = 64
BUDGETS = Budgets(prompt_tokens=4096, cache_bytes=2**28)
# Logits so close may come in either order.
TIE = 1e-4


@dataclass(frozen=True)
class TokenContext(GenerationContext):
    """Answers with token ids in place of their text."""

    def to_generated(self, ids: list[int]) -> Generated:
        end = next((i + 1 for i, token in enumerate(ids) if token in self.end_tokens), None)
        return Generated(json.dumps(ids[:end]), hit_length_cap=end is None)


@pytest.fixture(scope="module")
def task():
    """A task of conf/ by its name; some are switched on."""
    added = [f"+task@tasks.{name}={name}" for name in ("tickets", "instructions", "arithmetic")]
    return params.validate_text(compose(ROOT, added), "conf").tasks.__getitem__


def rows_of(task: Task, count: int) -> list:
    size = Embedded(rows={"train": 8, "validation": 8, "test": count}, seed=3)
    fetched = sources.fetch("embedded", None, size, task.source, type(task).fields)
    return [registry.rows(task.kind).clean(row) for row in fetched.splits["test"]]


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    """Where models are looked for."""
    monkeypatch.chdir(ROOT)


def adapted(base: Base, methods) -> Base:
    """The base with a LoRA adapter whose second factor is not zero, as it would be when new."""
    set_seed(0)
    options = Lora(r=8, alpha=16.0, dropout=0.0, target_modules="all-linear")
    model = lora.attach(base.model, options, methods["lora"]).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.02)
    return base.with_model(model)


@pytest.fixture
def embedded(load, methods) -> Base:
    """The base that ships, with an adapter."""
    return adapted(load(ROOT / "models/embedded"), methods)


@pytest.fixture
def digits(load, digits_model, methods) -> Base:
    """A model that splits numbers into digits, with an adapter."""
    return adapted(load(digits_model), methods)


@pytest.fixture
def prefixed(load, tiny_model, methods) -> Base:
    """A model with a trained prefix."""
    base = load(tiny_model)
    set_seed(0)
    options = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
    model = prefix.attach(base.model, options, methods["prefix"]).eval()
    return base.with_model(model).without_positions(3)


def encoded(base: Base, task: Task, count: int) -> tuple[list[list[int]], list[list[int]]]:
    """Ids of prompts and completions of a task's rows."""
    encoder = PromptEncoder(base.tokenizer, task.prompt, base.context)
    rows = [row.for_prompt(task.prompt) for row in rows_of(task, count)]
    prompts = [encoder.encode(row.input).ids for row in rows]
    return prompts, [encoder.encode_completion(row.completion).ids for row in rows]


def context(base: Base, cap: int) -> TokenContext:
    return TokenContext(base.model, base.tokenizer, BUDGETS, cap, "test")


@torch.inference_mode()
def gap(base: Base, ids: Sequence[int]) -> float:
    """How far apart the two likeliest next tokens' logits are."""
    first, second = base.model(input_ids=torch.tensor([ids])).logits[0, -1].topk(2).values
    return float(first - second)


def assert_same_tokens(base: Base, prompt: list[int], one: list[int], other: list[int]) -> None:
    """Equal, or different from a token on of which another was as likely."""
    if one != other:
        same = next(
            (i for i, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1),
            min(len(one), len(other)),
        )
        assert gap(base, [*prompt, *one[:same]]) < TIE


@pytest.mark.parametrize(
    ("which", "name", "cap", "count"),
    [
        ("embedded", "samsum", None, ROWS),
        ("embedded", "price", None, ROWS),
        ("digits", "price", None, ROWS),
        ("prefixed", "samsum", 12, 8),
    ],
)
def test_greedy_answers_and_likelihoods_are_those_of_the_reference(
    request, task, which, name, cap, count
):
    base, options = request.getfixturevalue(which), task(name)
    if which != "embedded":  # a context of 256 tokens
        options = options.model_copy(
            update={"prompt": options.prompt.model_copy(update={"max_tokens": 128})}
        )
    cap = cap or options.prompt.max_completion_tokens
    prompts, completions = encoded(base, options, count)
    targets = [ids[:cap] for ids in completions]
    answers = []
    for engine in (builtin, reference):
        with engine.prepared(base.model):
            answers.append(engine.greedy(context(base, cap), prompts, targets))
    assert len({answer.text for answer in answers[1]}) > 1  # rows differ
    for prompt, one, other in zip(prompts, *answers, strict=True):
        assert_same_tokens(base, prompt, json.loads(one.text), json.loads(other.text))
    found, expected = ([answer.reference_nll for answer in each] for each in answers)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    for engine in (builtin, reference):
        with engine.prepared(base.model):
            nlls = engine.likelihoods(base.model, prompts, targets, BUDGETS, "test")
        np.testing.assert_allclose(nlls, expected, rtol=1e-4)


def distributions(base: Base, engine, options: Task, prune_below: float, count: int):
    encoder = PromptEncoder(base.tokenizer, options.prompt, base.context)
    prompts, _ = encoded(base, options, count)
    tree = choice_tree(encoder, [str(price) for price in PRICES], "price")
    with engine.prepared(base.model):
        return engine.distributions(
            base.model, prompts, tree, prune_below, BUDGETS, 0, "test",
            longer_numbers(base.tokenizer),
        )  # fmt: skip


def assert_same(found: Sequence[Distribution], expected: Sequence[Distribution]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=0, atol=1e-5)
        assert one.outside == pytest.approx(other.outside, abs=1e-5)
        assert one.mass == pytest.approx(other.mass, abs=1e-5)
        assert one.continuation == pytest.approx(other.continuation, abs=1e-4)


@pytest.mark.parametrize(
    ("which", "prune_below", "count"),
    [("embedded", None, ROWS), ("digits", None, ROWS), ("digits", 1e-3, 8), ("prefixed", 0.0, 8)],
)
def test_price_distributions_are_those_of_the_reference(request, task, which, prune_below, count):
    base, options = request.getfixturevalue(which), task("price")
    if which != "embedded":
        options = options.model_copy(
            update={"prompt": options.prompt.model_copy(update={"max_tokens": 128})}
        )
    floor = options.eval.prune_below if prune_below is None else prune_below
    found, expected = (
        distributions(base, engine, options, floor, count) for engine in (builtin, reference)
    )
    assert len({each.probabilities.argmax() for each in expected}) > 1  # rows differ
    assert_same(found, expected)


def test_a_model_that_gives_no_numbers_makes_no_prediction(digits, task):
    with torch.no_grad():
        digits.model.get_base_model().lm_head.weight.fill_(float("nan"))
    options = task("price")
    for engine in (builtin, reference):
        (found,) = distributions(digits, engine, options, 0.0, 1)
        assert (found.probabilities, found.outside, found.mass) == (None, 1.0, 0.0)


@pytest.mark.parametrize("decode", ["beam", "sample", "mbr"])
def test_other_strategies_answer_alike(digits, task, decode):
    options = TextEval(shots=0, seed=5, decode=decode, beams=3, samples=3, temperature=0.7)
    prompts, completions = encoded(digits, task("price"), 6)
    answers = []
    for engine in (builtin, reference):
        with engine.prepared(digits.model):
            answers.append(engine.generate(context(digits, 6), prompts, completions, options))
    assert answers[0] == answers[1]
    found, expected = ([answer.reference_nll for answer in each] for each in answers)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_its_adapter_stays_beside_the_base(embedded):
    (weight, *_) = (
        each for name, each in embedded.model.named_parameters() if "base_layer" in name
    )
    before = weight.clone()
    with reference.prepared(embedded.model):
        assert torch.equal(weight, before)
    with builtin.prepared(embedded.model):
        assert not torch.equal(weight, before)


@pytest.mark.parametrize("name", ["samsum", "price", "tickets", "instructions", "arithmetic"])
def test_a_kind_asks_the_engine_that_the_spec_names(embedded, task, name):
    options = task(name)
    answers = registry.predict(options.kind).answers
    rows = rows_of(options, 4)
    found, expected = (
        predict(
            embedded, embedded.model, EvalSpec(options.prompt, options.eval, answers, engine),
            rows, rows, "test", BUDGETS,
        )
        for engine in (builtin, reference)
    )  # fmt: skip
    assert [row["prediction"] for row in found] == [row["prediction"] for row in expected]
    assert [row.keys() for row in found] == [row.keys() for row in expected]
