"""Several adapters on one base."""

from dataclasses import replace

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from finetune.core.errors import ModelError, UserError
from finetune.core.files import read_json, write_json
from finetune.methods import registry as methods
from finetune.serving import models
from finetune.serving.models import Attached, Source


def base_weights(model) -> dict[str, torch.Tensor]:
    return {
        name: module.get_base_layer().weight.data.clone()
        for name, module in model.named_modules()
        if isinstance(module, BaseTunerLayer)
    }


@pytest.fixture(scope="module")
def own(settings, sources):
    """Models of this file alone: their weights are looked at while they are merged."""
    return models.load(settings, sources)


def test_adapters_share_one_base(own):
    one, other = own.values()
    assert one.model is other.model
    assert {one.adapter, other.adapter} == {"default", "adapter1"}


def test_each_is_merged_as_predict_merges_it_and_the_base_is_restored_bitwise(
    own, settings, sources
):
    attached = Attached()
    before = base_weights(own["samsum"].model)
    for source in [*sources, sources[0]]:
        attached.use(own[source.name])
        tuned = methods.load(settings.model, settings.method, source.folder)
        with models.builtin.prepared(tuned.model):
            alone = base_weights(tuned.model)
        merged = base_weights(own[source.name].model)
        assert all(torch.equal(merged[name], alone[name]) for name in before)
        assert any(not torch.equal(merged[name], before[name]) for name in before)
    attached.release()
    after = base_weights(own["samsum"].model)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_batch_for_the_same_model_merges_nothing_again(own, monkeypatch):
    merges = []
    prepared = models.builtin.prepared
    monkeypatch.setattr(
        models.builtin, "prepared", lambda model: merges.append(1) or prepared(model)
    )
    attached = Attached()
    for name in ("samsum", "samsum", "price", "price", "price", "samsum"):
        attached.use(own[name])
    attached.release()
    assert len(merges) == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [("init_lora_weights", "pissa"), ("bias", "all"), ("modules_to_save", ["lm_head"]),
     ("peft_type", "PREFIX_TUNING")],
)  # fmt: skip
def test_what_changes_its_base_does_not_share_it(adapters, tmp_path, key, value):
    folder = adapters["samsum"]
    assert models.shares_base(folder)
    config = read_json(folder / "adapter_config.json")
    write_json(tmp_path / "adapter_config.json", {**config, key: value})
    assert not models.shares_base(tmp_path)
    assert not models.shares_base(tmp_path / "nowhere")


def test_a_task_that_was_not_trained_is_one_line(settings, sources, tmp_path):
    with pytest.raises(ModelError, match="holds no adapter"):
        models.load(settings, [sources[0], Source("price", "price", tmp_path)])


def test_a_damaged_second_adapter_is_one_line(settings, sources, tmp_path):
    for file in sources[1].folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="does not fit the model"):
        models.load(settings, [sources[0], Source("price", "price", tmp_path)])


def test_two_kinds_at_one_path_are_refused(own, monkeypatch):
    one, other = own.values()
    clash = replace(other, endpoint=replace(other.endpoint, path=one.endpoint.path))
    with pytest.raises(UserError, match="kinds summarization and price both serve it"):
        models._check_paths([one, clash])


def test_what_is_served_by_default_and_by_name(settings, tmp_path):
    found = models.sources(tmp_path, settings, [], ["old=samsum:kept/3"])
    assert [(each.name, each.task) for each in found] == [
        ("samsum", "samsum"), ("price", "price"), ("old", "samsum"),
    ]  # fmt: skip
    assert found[0].folder == tmp_path / "models/samsum"
    assert [each.name for each in models.sources(tmp_path, settings, ["price"], [])] == ["price"]


@pytest.mark.parametrize(
    ("tasks", "further", "what"),
    [(["prices"], [], "no task 'prices'; known: samsum, price"),
     ([], ["old"], "must be NAME=TASK:DIR"), ([], ["a b=samsum:x"], "must be NAME=TASK:DIR"),
     ([], ["old=prices:x"], "no task 'prices'"), ([], ["price=samsum:x"], "a model 'price'")],
)  # fmt: skip
def test_names_that_there_are_not_are_one_line(settings, tmp_path, tasks, further, what):
    with pytest.raises(UserError, match=what):
        models.sources(tmp_path, settings, tasks, further)
