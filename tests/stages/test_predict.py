import pytest

from finetune.core import paths
from finetune.core.files import read_json, read_jsonl
from finetune.inference import budgets
from finetune.modeling import answered
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
    assert run.pop("minutes") >= 0
    assert run == {
        "engine": "builtin", "prompt_tokens": 128, "cache_gb": 0.5, "resumed_rows": 0,
            "processes": 1,
    }  # fmt: skip


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


@pytest.mark.parametrize("stage", ["base", "predict"])
@pytest.mark.parametrize("die_at", [1, 4, 9])  # of 10 batches
def test_a_killed_run_keeps_its_answers_and_gives_the_same(
    declared, adapter, tmp_path, monkeypatch, stage, die_at
):
    name = {"base": "base", "predict": "tuned"}[stage]
    files = [
        *(paths.predictions("samsum", name, split) for split in ("validation", "test")),
        paths.general("samsum", name),
    ]
    # Batches of two rows; one on disk as soon as it is answered.
    monkeypatch.setattr(budgets, "MAX_ROWS", {"cpu": 2})
    options = declared(eval_token_budget=200, save_minutes=1e-9)

    def run() -> list[bytes]:
        {"base": base, "predict": predict}[stage].run(options, "samsum")
        return [file.read_bytes() for file in files]

    whole = run()
    add, added = answered.Store.add, []

    def die(*arguments):
        if len(added) == die_at:
            raise SystemExit
        added.append(1)
        add(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(answered.Store, "add", die)
        with pytest.raises(SystemExit):
            run()
    assert run() == whole
    metrics = read_json(paths.metrics("samsum", stage.replace("base", "predict_base")))
    assert metrics["samsum"].popitem()[1]["run"]["resumed_rows"] > 0
    assert not [path for path in (tmp_path / ".runstate").glob(f"{stage}-*") if path.is_dir()]
