import pytest

from finetune.core.schema import Prompt
from finetune.inference.budgets import Budgets
from finetune.inference.predict import EvalSpec, Prediction, predict
from finetune.tasks.math import predict as math_predict
from finetune.tasks.math.options import MathEval, MathPrompt
from finetune.tasks.math.rows import Row

ROWS = [
    Row(id="a", question="What is 1 + 1?", answer="1 + 1 = 2\n#### 2"),
    Row(id="b", question="How many legs have 3 cats?", answer="3 * 4 = 12\n#### 12"),
]


def prompt(completion: str) -> Prompt:
    return MathPrompt(
        instruction="Go.", cue=":", max_tokens=64, max_completion_tokens=8, completion=completion
    )


def answers(base, strategy: str = "greedy", completion: str = "solution") -> list[Prediction]:
    options = MathEval(shots=1, seed=5, strategy=strategy, samples=3, temperature=0.9)
    spec = EvalSpec(prompt(completion), options, math_predict.answers)
    budgets = Budgets(prompt_tokens=512, cache_bytes=2**28)
    return predict(base, base.model, spec, ROWS, ROWS, "test", budgets, shots=1)


def test_solutions_come_with_references_and_their_likelihood(load, tiny_model):
    rows = answers(load(tiny_model))
    assert [(row["id"], row["reference"]) for row in rows] == [(r.id, r.answer) for r in ROWS]
    assert all(row["reference_nll"] > 0 for row in rows)
    assert all(row["hit_length_cap"] for row in rows)  # a random model does not stop
    assert all("samples" not in row for row in rows)


def test_direct_answers_are_the_last_lines(load, tiny_model):
    base = load(tiny_model)
    whole, direct = answers(base), answers(base, completion="answer")
    assert [row["reference"] for row in direct] == ["#### 2", "#### 12"]
    assert all(
        one["reference_tokens"] < other["reference_tokens"]
        for one, other in zip(direct, whole, strict=True)
    )
    # The examples in the prompts show it, too.
    assert [row["prediction"] for row in direct] != [row["prediction"] for row in whole]


def test_self_consistency_has_several_seeded_samples(load, tiny_model):
    base = load(tiny_model)
    rows, again = (answers(base, "self_consistency") for _ in range(2))
    assert rows == again
    greedy = answers(base)
    for row, one in zip(rows, greedy, strict=True):
        assert len(set(row["samples"])) == 3
        assert row["prediction"] == row["samples"][0]
        assert len(row["samples_hit_length_cap"]) == 3
        assert row["reference_nll"] == pytest.approx(one["reference_nll"], rel=1e-4)
