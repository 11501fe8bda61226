import pytest

from finetune.core.schema import Prompt, TextEval
from finetune.inference.budgets import Budgets
from finetune.inference.predict import EvalSpec, predict
from finetune.tasks.instruction import predict as instruction_predict
from finetune.tasks.instruction.rows import Row

ROWS = [
    Row(id="a", instruction="Who has it?", context="Anna has it.", response="Anna."),
    Row(id="b", instruction="Say hi.", response="Hi.", facts=("Hi",)),
]


@pytest.mark.parametrize("decode", ["greedy", "mbr"])
def test_responses_come_with_references_and_their_likelihood(load, tiny_model, decode):
    base = load(tiny_model)
    prompt = Prompt(instruction="Go.", cue=":", max_tokens=64, max_completion_tokens=6)
    options = TextEval(shots=0, seed=5, decode=decode, beams=2, samples=2, temperature=0.7)
    spec = EvalSpec(prompt, options, instruction_predict.answers)
    budgets = Budgets(prompt_tokens=512, cache_bytes=2**28)
    rows = predict(base, base.model, spec, ROWS, ROWS, "test", budgets, shots=1)
    assert [(row["id"], row["reference"]) for row in rows] == [("a", "Anna."), ("b", "Hi.")]
    assert all(isinstance(row["prediction"], str) for row in rows)
    assert all(row["reference_nll"] > 0 for row in rows)
    assert all(row["shots"] == 1 for row in rows)
