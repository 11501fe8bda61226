"""Which speeds are read from what was measured, and which are not guessed."""

import pytest

from finetune.core.errors import DataError
from finetune.core.files import write_json
from finetune.costs import forms

TRAIN = {
    "prompt_tokens_mean": 90.0, "completion_tokens_mean": 10.0, "adapter_hash": "abc",
}  # fmt: skip
TUNED = {"rouge1": 50.0, "n": 200, "validation": {"n": 100}}
METRICS = {"train": TRAIN, "tuned": TUNED}


def entry(adapter: str = "abc", **run: object) -> dict:
    return {"adapter_hash": adapter, "n": 200, "rouge1": 49.0, "run": run}


def of_task(root, entries=None, predict=None):
    if entries is not None:
        write_json(root / "metrics/samsum/forms.json", {"samsum": {"forms": entries}})
    if predict is not None:
        write_json(root / "metrics/samsum/predict.json", {"samsum": {"predict": {"run": predict}}})
    return forms.of_task(root, "samsum", METRICS)


def test_requests_a_second_are_seconds_a_request(tmp_path):
    served = entry(requests_per_second=50.0, requests_at_once=16)
    entries = {"tuned": entry(requests_per_second=10.0), "served": served}
    (tuned, form), lines = of_task(tmp_path, entries)
    assert (tuned.speed.seconds, form.speed.seconds) == (pytest.approx(0.1), pytest.approx(0.02))
    assert tuned.speed.how == "10 requests/s in batches"
    assert form.speed.how == "50 requests/s, 16 at once"
    assert (tuned.scores, form.scores["rouge1"], lines) == (TUNED, 49.0, [])


def test_forms_of_another_adapter_are_left_out_and_named(tmp_path):
    entries = {"tuned": entry("old", requests_per_second=9.0), "gguf": entry("old")}
    found, lines = of_task(tmp_path, entries)
    assert [form.name for form in found] == ["tuned"]
    assert found[0].speed is None
    assert [line.partition(":")[0] for line in lines] == ["tuned", "gguf"]


def test_predicts_time_has_the_ends_of_its_rounding(tmp_path):
    (tuned,), _ = of_task(tmp_path, predict={"minutes": 0.5, "engine": "builtin"})
    speed = tuned.speed
    assert speed.seconds == pytest.approx(0.1)
    assert (speed.low, speed.high) == (pytest.approx(0.099), pytest.approx(0.101))


def test_what_was_not_measured_is_not_guessed(tmp_path):
    (tuned,), _ = of_task(tmp_path)
    assert tuned.speed is None
    assert "predict.json is not there" in tuned.missing
    (tuned,), _ = of_task(tmp_path, predict={"minutes": 0.0, "engine": "builtin"})
    assert tuned.speed is None
    assert "too short to say" in tuned.missing
    (_, form), _ = of_task(tmp_path, {"gguf": entry()})
    assert (form.speed, form.missing) == (None, "its record has no speed")
    (_, form), _ = of_task(tmp_path, {"asked": entry(provider="api.example.com")})
    assert (form.speed, form.missing[:7]) == (None, "hosted:")


def test_a_file_of_another_shape_is_one_line(tmp_path):
    write_json(tmp_path / "metrics/samsum/forms.json", {"samsum": []})
    with pytest.raises(DataError, match="holds no forms of samsum"):
        forms.of_task(tmp_path, "samsum", METRICS)
