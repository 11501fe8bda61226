"""Model folders and adapters that are not what they say: each refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune.core.errors import ModelError
from finetune.core.schema import Lora
from finetune.methods import adapters
from finetune.methods.lora import attach
from finetune.modeling import integrity

LAYER = "model.layers.0.mlp.up_proj.weight"
NORM = "model.norm.weight"
LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules=["q_proj", "v_proj"])

Tensors = dict[str, torch.Tensor]


def filled(name: str, value: float, last: bool = False) -> Callable[[Tensors], Tensors]:
    """One element of one tensor has another value."""

    def change(tensors: Tensors) -> Tensors:
        tensor = tensors[name].clone()
        tensor.view(-1)[-1 if last else 0] = value
        return tensors | {name: tensor}

    return change


def edited(file: Path, change: Callable[[Tensors], Tensors]) -> None:
    tensors = change(load_file(file))
    save_file({k: v.contiguous() for k, v in tensors.items()}, file, metadata={"format": "pt"})


def configured(folder: Path, **values: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.fixture
def folder(tiny_model, tmp_path) -> Path:
    """A model's folder, to be damaged."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.mark.parametrize("quantization", ["none", "nf4"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {k: v for k, v in t.items() if k != LAYER}, f"lacks weights .*: {LAYER}; "),
        (lambda t: {f"{k}x" if k == LAYER else k: v for k, v in t.items()}, f"lacks .* {LAYER}; "),
        (lambda t: {f"wrapped.{k}": v for k, v in t.items()}, r"lacks weights .* and \d+ more; "),
        (filled(LAYER, float("nan")), f"{LAYER}.* holds NaN or infinity"),
        (filled(LAYER, float("-inf"), last=True), f"{LAYER}.* holds NaN or infinity"),
        (filled(NORM, float("nan")), f"{NORM}.* holds NaN or infinity"),
        (
            lambda t: t | {LAYER: t[LAYER][:-1]},
            rf"other shapes .*: {LAYER} is \(63, 64\), not \(64, 64\)",
        ),
        (lambda t: t | {NORM: t[NORM][:-1]}, rf"other shapes .*: {NORM} is \(63,\), not \(64,\)"),
    ],
)
def test_weights_that_do_not_match_are_refused(
    load, folder, capfd, recwarn, quantization, change, said
):
    edited(folder / "model.safetensors", change)
    with pytest.raises(ModelError, match=said) as caught:
        load(folder, quantization)
    assert str(caught.value).startswith(f"model.name: {folder}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800
    assert "MISSING" not in "".join(capfd.readouterr())  # transformers' report of thirty lines


def test_more_layers_than_the_config_says_are_refused(load, folder):
    configured(folder, num_hidden_layers=1)
    with pytest.raises(ModelError, match=r"more layers than its config.json: model\.layers\.1\."):
        load(folder)


def test_an_output_head_that_is_neither_there_nor_tied_is_refused(load, folder):
    configured(folder, tie_word_embeddings=True)
    edited(
        folder / "model.safetensors",
        lambda t: {k: v for k, v in t.items() if k != "lm_head.weight"},
    )
    load(folder)
    configured(folder, tie_word_embeddings=False)
    with pytest.raises(ModelError, match=r"lacks weights .*: lm_head\.weight;"):
        load(folder)


def test_parts_that_this_model_has_no_place_for_are_their_own_affair(load, folder):
    more = {
        "vision_tower.layers.0.weight": torch.zeros(2, 2),
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8),
    }
    edited(folder / "model.safetensors", lambda t: t | more)
    load(folder)


def test_every_shard_is_looked_at_before_it_is_quantized(load, tiny_model, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path / "model"
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    model.save_pretrained(folder, max_shard_size="100KB")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 2
    load(folder, "nf4")
    name = next(iter(load_file(shards[-1])))
    edited(shards[-1], filled(name, float("nan")))
    with pytest.raises(ModelError, match=f"{name}.* holds NaN"):
        load(folder, "nf4")


def test_what_quantization_would_turn_into_numbers_is_found_in_the_files(load, folder, monkeypatch):
    """As a GPU's kernel may: the largest of a block, by comparison, is no NaN."""
    edited(folder / "model.safetensors", filled(LAYER, float("nan")))
    monkeypatch.setattr(integrity, "check_finite", lambda *_: None)
    with pytest.raises(ModelError, match=f"{LAYER} in model.safetensors holds NaN"):
        load(folder, "nf4")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_one_element_that_is_not_finite_is_found(dtype, value):
    tensor = torch.randn(1000).to(dtype)
    assert integrity.finite(tensor)
    tensor[777] = value
    assert not integrity.finite(tensor)


def test_whole_numbers_empty_tensors_and_the_largest_floats_are_finite():
    assert integrity.finite(torch.zeros(0))
    assert integrity.finite(torch.tensor([2**62]))
    assert integrity.finite(torch.full((3,), torch.finfo(torch.bfloat16).max, dtype=torch.bfloat16))
    eight_bits = torch.tensor([1.0, float("nan")]).to(torch.float8_e4m3fn)
    assert integrity.finite(eight_bits[:1])
    assert not integrity.finite(eight_bits)


@pytest.fixture
def adapter(load, tiny_model, tmp_path) -> Path:
    """A saved adapter of the model."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    adapters.save(attach(load(tiny_model).model, LORA), folder)
    return folder


def first(tensors: Tensors) -> str:
    return sorted(tensors)[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {k: v for k, v in t.items() if ".layers.0." in k}, "lacks tensors .*layers.1"),
        (lambda t: {k: v for k, v in t.items() if "lora_A" in k}, "lacks tensors .*lora_B"),
        (lambda t: t | {"base_model.model.extra.lora_A.weight": torch.ones(4, 4)}, "no place for"),
        (lambda t: {k.replace("layers.1", "layers.7"): v for k, v in t.items()}, "lacks tensors"),
        (lambda t: filled(first(t), float("nan"))(t), "holds NaN or infinity"),
        (lambda t: filled(first(t), float("inf"))(t), "holds NaN or infinity"),
        (lambda t: {k: v[:, :-1] for k, v in t.items()}, "does not fit the model"),
    ],
)
def test_an_adapter_that_is_not_this_models_is_refused(
    load, tiny_model, adapter, recwarn, change, said
):
    edited(adapter / adapters.WEIGHTS, change)
    with pytest.raises(ModelError, match=said) as caught:
        adapters.load(load(tiny_model, "nf4").model, adapter)
    assert str(caught.value).startswith(str(adapter))
    assert "\n" not in str(caught.value)
    assert not [w for w in recwarn if "adapter keys" in str(w.message)]


def test_an_adapter_of_a_larger_base_is_refused(load, tiny_model, adapter, tmp_path):
    small = Path(shutil.copytree(tiny_model, tmp_path / "small"))
    configured(small, num_hidden_layers=1)
    edited(
        small / "model.safetensors", lambda t: {k: v for k, v in t.items() if "layers.1" not in k}
    )
    with pytest.raises(ModelError, match="no place for"):
        adapters.load(load(small).model, adapter)


@pytest.mark.parametrize("file", [adapters.CONFIG, adapters.WEIGHTS])
def test_a_missing_file_is_told_without_asking_the_hub(load, tiny_model, adapter, file):
    (adapter / file).unlink()
    with pytest.raises(ModelError, match=rf"holds no adapter \({file}\); run `dvc repro`"):
        adapters.load(load(tiny_model).model, adapter)


def test_a_truncated_adapter_is_one_line(load, tiny_model, adapter):
    weights = adapter / adapters.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="does not fit the model") as caught:
        adapters.load(load(tiny_model).model, adapter)
    assert "\n" not in str(caught.value)
