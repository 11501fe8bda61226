"""Each method trains, is saved, and comes back in another process's base as it was."""

import pytest
import torch
from transformers import set_seed

from finetune.core.errors import ModelError
from finetune.core.files import read_json
from finetune.core.schema import Lora, Model
from finetune.methods import registry
from finetune.modeling import base as base_model

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
NAMES = ["qlora", "qlora_int8", "lora", "prefix", "full", "regression_head"]
VARIANTS = [
    *((name, {}) for name in NAMES),
    ("qlora", {"dora": True}),
    ("qlora_int8", {"dora": True}),
    ("lora", {"dora": True, "rslora": True, "alpha_ratio": 1.0}),
    ("lora", {"init": "gaussian"}),
    ("lora", {"init": "pissa"}),
    ("lora", {"init": "olora"}),
    ("lora", {"init": "orthogonal"}),
]
# Their steps are no larger than rounding where weights are dequantized once.
IDS = torch.arange(5, 45)[None]


def model_of(folder) -> Model:
    return Model(name=str(folder), source="local", revision=None, watch=str(folder))


def tuned(folder, method, lora=LORA):
    """A base and a model that took three optimizer steps of the method."""
    base = base_model.load(model_of(folder), method)
    set_seed(3)
    model = registry.of(method).attach(base.model, lora, method)
    steps = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(3):
        logits = model(input_ids=IDS, use_cache=False).logits[0]
        torch.nn.functional.cross_entropy(logits[:-1], IDS[0, 1:]).backward()
        steps.step()
        steps.zero_grad()
    return base, model.eval()


@torch.inference_mode()
def logits(model) -> torch.Tensor:
    return model(input_ids=IDS, use_cache=False).logits


@pytest.mark.parametrize(("name", "changed"), VARIANTS)
def test_what_was_trained_comes_back_from_its_folder(tiny_model, methods, tmp_path, name, changed):
    method = methods[name]
    base, model = tuned(tiny_model, method, LORA.model_copy(update=changed))
    registry.of(method).save(model, tmp_path, base.tokenizer)
    loaded = registry.load(model_of(tiny_model), method, tmp_path)
    assert not loaded.model.training
    torch.testing.assert_close(logits(loaded.model), logits(model), rtol=1e-3, atol=1e-4)
    untuned = base_model.load(model_of(tiny_model), method, for_inference=True)
    assert not torch.allclose(logits(loaded.model), logits(untuned.model), atol=1e-2)
    written = registry.written(method, tmp_path)
    assert len(written[registry.of(method).HASH]) == 12
    assert written["size_mb"] > 0
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o644}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_training_writes_the_same_bytes(tiny_model, methods, tmp_path, name):
    method = methods[name]
    for folder in ("one", "other"):
        base, model = tuned(tiny_model, method)
        (tmp_path / folder).mkdir()
        registry.of(method).save(model, tmp_path / folder, base.tokenizer)
    one, other = (registry.written(method, tmp_path / folder) for folder in ("one", "other"))
    assert one == other


def test_what_is_trained_is_counted(load, tiny_model, methods):
    counts = {}
    for name in ("lora", "prefix", "full"):
        model = load(tiny_model).model
        total = sum(each.numel() for each in model.parameters())
        attached = registry.of(methods[name]).attach(model, LORA, methods[name])
        counts[name] = registry.trainable_parameters(attached)
    # Two layers with keys and values of 64 each, before 3 virtual tokens.
    assert counts["prefix"] == 3 * 2 * 2 * 64
    assert counts["full"] == total
    assert counts["prefix"] < counts["lora"] < counts["full"]


def test_a_prefix_takes_positions_of_the_context(tiny_model, methods, tmp_path):
    method = methods["prefix"]
    base, model = tuned(tiny_model, method)
    registry.of(method).save(model, tmp_path, base.tokenizer)
    assert registry.load(model_of(tiny_model), method, tmp_path).context == base.context - 3


@pytest.mark.parametrize("name", NAMES)
def test_parameters_know_what_a_method_answers_with(methods, name):
    assert methods[name].answers_numbers == registry.of(methods[name]).ANSWERS_NUMBERS


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_folder_is_one_line(tiny_model, methods, tmp_path, name):
    with pytest.raises(ModelError, match=r"holds no (adapter|model) \(.*\); run `dvc repro`"):
        registry.load(model_of(tiny_model), methods[name], tmp_path)


def test_the_folder_of_an_adapter_says_what_was_asked_for(tiny_model, methods, tmp_path):
    options = LORA.model_copy(update={"alpha_ratio": 3.0, "dora": True, "rslora": True})
    base, model = tuned(tiny_model, methods["lora"], options)
    registry.of(methods["lora"]).save(model, tmp_path, base.tokenizer)
    config = read_json(tmp_path / "adapter_config.json")
    assert (config["lora_alpha"], config["use_dora"], config["use_rslora"]) == (12.0, True, True)
