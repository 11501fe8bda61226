from pathlib import Path

import pytest
import torch

from finetune.core.errors import ModelError
from finetune.core.files import read_json, write_json
from finetune.core.schema import Lora
from finetune.methods import adapters
from finetune.methods.lora import attach

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")


def attached(load, folder, options=LORA):
    model = attach(load(folder, "nf4").model, options)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:  # zero at the start: an adapter without effect
                parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(3))
    return model


def logits(model):
    with torch.inference_mode():
        return model(input_ids=torch.arange(20)[None]).logits


def test_only_the_adapter_is_trained(load, tiny_model):
    model = attach(load(tiny_model, "nf4").model, LORA)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)


def test_a_saved_adapter_gives_the_same_outputs_when_loaded(load, tiny_model, tmp_path):
    model = attached(load, tiny_model).eval()
    adapters.save(model, tmp_path)
    modules = read_json(tmp_path / adapters.CONFIG)["target_modules"]
    assert modules == sorted(modules)  # or two runs would differ in the hash of their adapter
    again = adapters.load(load(tiny_model, "nf4").model, tmp_path)
    assert torch.equal(logits(model), logits(again))
    plain = load(tiny_model, "nf4").model
    assert not torch.allclose(logits(plain), logits(again))


def test_an_adapter_that_was_not_written_whole_is_noticed(load, tiny_model, tmp_path, monkeypatch):
    model = attached(load, tiny_model)
    loaded = adapters.load_file

    def damaged(path):
        tensors = loaded(path)
        first = next(iter(tensors))
        return tensors | {first: torch.zeros_like(tensors[first]) + 7}

    monkeypatch.setattr(adapters, "load_file", damaged)
    with pytest.raises(ModelError, match="differs from the trained adapter"):
        adapters.save(model, tmp_path)


def test_modules_that_the_model_lacks_are_told(load, tiny_model):
    options = Lora(r=4, alpha=8.0, dropout=0.0, target_modules=["c_attn"])
    with pytest.raises(ModelError, match=r"lora\.target_modules: "):
        attach(load(tiny_model).model, options)


def test_a_folder_without_an_adapter_is_told(load, tiny_model, tmp_path):
    with pytest.raises(ModelError, match="holds no adapter"):
        adapters.load(load(tiny_model).model, tmp_path)


def test_an_adapter_of_another_model_is_told(load, tiny_model, digits_model, tmp_path):
    model = attached(load, tiny_model, LORA)
    adapters.save(model, tmp_path)
    weights = adapters.load_file(tmp_path / adapters.WEIGHTS)
    from safetensors.torch import save_file

    save_file({k: v[:, :-1].contiguous() for k, v in weights.items()}, tmp_path / adapters.WEIGHTS)
    with pytest.raises(ModelError, match="does not fit"):
        adapters.load(load(digits_model).model, tmp_path)


def test_an_adapter_names_no_folder_of_the_one_who_trained_it(load, tiny_model, tmp_path):
    model = attached(load, tiny_model)
    assert tiny_model.is_absolute()
    adapters.save(model, tmp_path)
    assert read_json(tmp_path / adapters.CONFIG)["base_model_name_or_path"] == tiny_model.name
    assert str(tiny_model.parent) not in (tmp_path / adapters.CONFIG).read_text()


def test_an_adapter_names_a_base_inside_the_repository_as_it_was_given(
    load, tiny_model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tiny_model.parent)
    model = attached(load, Path(tiny_model.name))
    adapters.save(model, tmp_path)
    assert read_json(tmp_path / adapters.CONFIG)["base_model_name_or_path"] == tiny_model.name


def test_an_adapter_is_loaded_whatever_it_says_of_its_base(load, tiny_model, tmp_path, monkeypatch):
    adapters.save(attached(load, tiny_model), tmp_path)
    config = read_json(tmp_path / adapters.CONFIG)
    write_json(tmp_path / adapters.CONFIG, config | {"base_model_name_or_path": "no/such-model"})
    monkeypatch.setattr(
        "peft.utils.save_and_load.check_file_exists_on_hf_hub",
        lambda *_, **__: pytest.fail("the hub is asked"),
    )
    adapters.load(load(tiny_model, "nf4").model, tmp_path)


def test_others_may_read_an_adapter(load, tiny_model, tmp_path):
    adapters.save(attached(load, tiny_model), tmp_path)
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {adapters.WEIGHTS: 0o644, adapters.CONFIG: 0o644}
