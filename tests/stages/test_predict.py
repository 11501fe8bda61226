import pytest

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl
from finetune.stages import base, predict


def test_an_adapter_that_adds_nothing_predicts_as_the_untuned_model(declared, adapter):
    base.run(declared(), "samsum")
    predict.run(declared(eval_token_budget=128, cache_gb=0.5), "samsum")
    for split, count in (("validation", 4), ("test", 6)):
        tuned, untuned = (
            read_jsonl(paths.predictions("samsum", name, split)) for name in ("tuned", "base")
        )
        assert len(tuned) == count
        assert [row["prediction"] for row in tuned] == [row["prediction"] for row in untuned]
    general = [read_jsonl(paths.general("samsum", name)) for name in ("tuned", "base")]
    tuned, untuned = ([row.pop("nll") for row in rows] for rows in general)
    assert tuned == pytest.approx(untuned, rel=1e-4)
    assert general[0] == general[1]
    run = read_json(paths.metrics("samsum", "predict"))["samsum"]["predict"]["run"]
    assert run == {"prompt_tokens": 128, "cache_gb": 0.5}


def test_where_the_model_samples_all_draws_are_written_and_draw_k_is_of_seed_plus_k(
    declared, adapter
):
    def run(**changed: object) -> list[dict]:
        asked = declared()
        options = asked.task.eval.model_copy(update={"decode": "sample", **changed})
        object.__setattr__(asked._values.tasks["samsum"], "eval", options)
        predict.run(asked, "samsum")
        return read_jsonl(paths.predictions("samsum", "tuned"))

    rows = run(draws=2, seed=5)
    first, second = rows[:6], rows[6:]
    assert first == run(draws=1, seed=5)
    again = run(draws=1, seed=6)
    assert second == [{**row, "draw": 1} for row in again]
    assert [row["prediction"] for row in first] != [row["prediction"] for row in again]
