import pytest

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl
from finetune.stages import base


def test_predictions_do_not_depend_on_the_budgets_which_are_written_beside(declared):
    predictions = []
    for budget in (64, 4096):
        base.run(declared(eval_token_budget=budget, cache_gb=0.25), "samsum")
        run = read_json(paths.metrics("samsum", "predict_base"))["samsum"]["predict_base"]["run"]
        assert run.pop("minutes") >= 0
        assert run == {
            "engine": "builtin", "prompt_tokens": budget, "cache_gb": 0.25, "resumed_rows": 0,
            "processes": 1,
        }  # fmt: skip
        rows = read_jsonl(paths.predictions("samsum", "base"))
        for row in rows:
            del row["reference_nll"]  # equal up to rounding
        predictions.append(rows)
    assert predictions[0] == predictions[1]
    assert [row["id"] for row in predictions[0]] == [str(n) for n in range(6)]


def test_the_untuned_model_predicts_validation_and_test_with_and_without_examples(declared):
    base.run(declared(), "samsum")
    for name in ("base", "few_shot"):
        for split, count in (("validation", 4), ("test", 6)):
            rows = read_jsonl(paths.predictions("samsum", name, split))
            draws = 3 if name == "few_shot" else 1
            assert [row.get("draw", 0) for row in rows] == [
                k for k in range(draws) for _ in rows[:count]
            ]
            assert [row["id"] for row in rows] == [str(n) for n in range(count)] * draws
            assert {"id", "prediction", "reference", "reference_nll"} <= rows[0].keys()
            assert "rouge1" not in rows[0]  # scoring is another stage
            assert ("shots" in rows[0]) == (name == "few_shot")


def test_general_text_is_measured_whatever_the_budgets(declared):
    measured = []
    for budget in (64, 4096):
        base.run(declared(eval_token_budget=budget), "samsum")
        measured.append(read_jsonl(paths.general("samsum", "base")))
    assert len(measured[0]) == 60
    assert [*measured[0][0]] == ["id", "part", "nll", "tokens", "bytes", "truncated"]
    small, large = ([row["nll"] for row in rows] for rows in measured)
    assert small == pytest.approx(large, rel=1e-4)
