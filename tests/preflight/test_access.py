from pathlib import Path

import pytest

from finetune.composition import compose
from finetune.core import hub, params
from finetune.preflight import access

ROOT = Path(__file__).parents[2]


@pytest.fixture
def real(monkeypatch):
    """Parameters of a model and data of the hub, which answers as `answers` says."""
    found = params.read(ROOT / "params.yaml")
    update = {"name": "meta-llama/Llama-3.2-1B", "source": "hub", "revision": "a" * 40}
    model = found.model.model_copy(update=update)
    data = found.data.model_copy(update={"source": "hub"})
    monkeypatch.setattr(hub, "has_token", lambda: True)
    return found.model_copy(update={"model": model, "data": data})


def test_what_the_run_asks_of_the_hub_is_asked_before(real, monkeypatch):
    asked = []
    monkeypatch.setattr(hub, "refusal", lambda *given: asked.append(given))
    found = list(access.of_hub(real))
    assert asked == [
        ("meta-llama/Llama-3.2-1B", "model"),
        ("knkarthick/samsum", "dataset"),
        ("ed-donner/pricer-data", "dataset"),
    ]
    assert [each.state for each in found] == ["ok", "ok", "warning", "ok", "warning"]
    assert "finetune pin data=samsum" in found[2].todo


def mixing(settings: params.Params, **part: object) -> params.Params:
    """The parameters with a source that samsum mixes in."""
    values = settings.model_dump()
    values["tasks"]["samsum"]["source"]["mix"] = {"more": {"licence": "MIT", **part}}
    return params.validate(values, "params.yaml")


def test_data_sets_that_are_mixed_in_are_asked_for_whatever_the_source(monkeypatch):
    asked = []
    monkeypatch.setattr(hub, "refusal", lambda *given: asked.append(given))
    fields = {"dialogue": "a", "summary": "b"}
    more = {"repo": "some/chats", "revision": None, "splits": {"train": "x"}, "fields": fields}
    found = list(access.of_hub(mixing(params.read(ROOT / "params.yaml"), hub=more)))
    assert asked == [("some/chats", "dataset")]
    assert [each.state for each in found] == ["ok", "warning"]


def test_the_folder_of_a_file_that_is_mixed_in_must_be_known_and_there(tmp_path):
    fields = {"dialogue": "a", "summary": "b"}
    more = {"folder": ".", "splits": {"train": "x.csv"}, "fields": fields,
            "sha256": {"x.csv": "0" * 64}}  # fmt: skip
    settings = mixing(params.read(ROOT / "params.yaml"), files=more)
    found, _ = access.files(settings)  # the other is of the model
    assert (found.state, found.todo) == ("fail", "-S data.root=DIR")
    for root, state in ((tmp_path, "ok"), (tmp_path / "none", "fail")):
        data = settings.data.model_copy(update={"root": str(root)})
        *_, found = access.files(settings.model_copy(update={"data": data}))
        assert found.state == state


def test_a_gated_model_says_what_to_do_and_shows_no_token(real, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(hub, "refusal", lambda repo, _: f"{repo} is gated: accept; then set it")
    found = list(access.of_hub(real))
    assert found[0].state == "fail"
    assert "is gated" in found[0].what
    assert not any("hf_secret" in str(each) for each in found)


def test_a_model_without_a_commit_fails(real, monkeypatch):
    monkeypatch.setattr(hub, "refusal", lambda *_: None)
    unpinned = real.model_copy(update={"model": real.model.model_copy(update={"revision": None})})
    first, *_ = access.of_hub(unpinned)
    assert first.state == "fail"
    assert "finetune pin model=NAME" in first.todo


def test_a_local_model_must_be_there(real, tmp_path):
    model = real.model.model_copy(update={"name": str(tmp_path), "source": "local"})
    (found,) = access.files(real.model_copy(update={"model": model}))
    assert found.state == "fail"
    (tmp_path / "model.safetensors").touch()
    (found,) = access.files(real.model_copy(update={"model": model}))
    assert found.state == "ok"


def test_a_hosted_model_needs_a_key_and_should_have_a_limit(monkeypatch):
    text = compose(ROOT, ["model=hosted", "method=hosted"])
    hosted = params.validate_text(text, "conf")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    key, limit = access.of_provider(hosted)
    assert (key.state, limit.state) == ("fail", "warning")
    assert "OPENAI_API_KEY is not set" in key.what
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    limited = hosted.model_copy(update={"run": hosted.run.model_copy(update={"max_usd": 5.0})})
    found = list(access.of_provider(limited))
    assert [each.state for each in found] == ["ok", "ok", "fail"]  # as the run would end
    assert str(found[-1]) == (
        "fail    run.max_usd: is 5, and what this run costs is not known: set "
        "run.hosted_prices.training, run.hosted_prices.tuned_input, "
        "run.hosted_prices.tuned_output, or run.max_usd=null"
    )
    assert not any("sk-secret" in str(each) for each in found)
    # Asked as it is, it needs the prices of answers alone, which conf/model/hosted.yaml has.
    plain = limited.method.model_copy(update={"tuner": "lora"})
    found = list(access.of_provider(limited.model_copy(update={"method": plain})))
    assert [each.state for each in found] == ["ok", "ok"]
