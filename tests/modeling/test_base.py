import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from finetune.core.errors import ModelError
from finetune.core.schema import Method, Model
from finetune.modeling import base, precision


def test_weights_come_back_as_they_were_saved_and_in_evaluation_mode(load, tiny_model):
    from safetensors.torch import load_file

    loaded = load(tiny_model)
    saved = load_file(tiny_model / "model.safetensors")
    assert torch.equal(loaded.model.state_dict()["model.norm.weight"], saved["model.norm.weight"])
    assert not loaded.model.training
    assert loaded.context == 256


def test_nf4_quantizes_the_linear_layers_and_leaves_the_head(load, tiny_model):
    import bitsandbytes

    model = load(tiny_model, quantization="nf4").model
    assert isinstance(model.model.layers[0].mlp.up_proj, bitsandbytes.nn.Linear4bit)
    assert not isinstance(model.lm_head, bitsandbytes.nn.Linear4bit)


def test_a_model_does_not_bring_its_own_decoding(load, tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    settings = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "eos_token_id": [1, 7]}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    config = load(folder).model.generation_config
    assert config.do_sample is False
    assert set(config.eos_token_id) == {1, 7}  # but where it stops is its own


def test_a_tokenizer_without_padding_pads_with_its_end_token(load, digits_model):
    tokenizer = load(digits_model).tokenizer
    assert tokenizer.pad_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize(
    ("removed", "said"),
    [("model.safetensors", "no weights"), ("config.json", "no config.json"), (None, "no folder")],
)
def test_an_incomplete_folder_is_told_before_anything_is_loaded(
    load, tiny_model, tmp_path, removed, said
):
    folder = tmp_path / "model"
    if removed:
        shutil.copytree(tiny_model, folder)
        (folder / removed).unlink()
    with pytest.raises(ModelError, match=said) as caught:
        load(folder)
    assert str(caught.value).startswith("model.name: ")
    assert "\n" not in str(caught.value)


def test_a_folder_that_a_stage_fills_names_its_command(load, tmp_path):
    folder = tmp_path / "smollm2"
    folder.mkdir()
    (folder / "dvc.yaml").touch()
    with pytest.raises(ModelError, match=r"smollm2 holds no model yet; run `make smollm2`$"):
        load(folder)


def test_broken_weights_are_told_in_one_line(load, tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(folder)


def test_a_hub_model_is_asked_for_at_its_revision(monkeypatch):
    asked = []

    def refuse(name, **options):
        asked.append((name, options))
        raise OSError("offline")

    monkeypatch.setattr(base.AutoConfig, "from_pretrained", refuse)
    sha = "0123456789abcdef" * 2 + "01234567"
    model = Model(name="some/model", source="hub", revision=sha, watch="src")
    method = Method(quantization="none", double_quantization=False, compute_dtype="auto")
    with pytest.raises(ModelError, match="some/model cannot be loaded: offline"):
        base.load(model, method)
    assert asked == [("some/model", {"trust_remote_code": False, "revision": sha})]


@pytest.mark.parametrize(("free", "fits"), [(10**9, True), (10**5, False)])
def test_a_gpu_without_room_for_dequantized_weights_keeps_them_in_4_bits(
    load, tiny_model, monkeypatch, free, fits
):
    quantized = load(tiny_model, "nf4").model
    # Two bytes for each weight, of which a 4-bit tensor holds two a byte.
    on_gpu = SimpleNamespace(
        device=torch.device("cuda"), dtype=torch.bfloat16, num_parameters=quantized.num_parameters
    )
    monkeypatch.setattr(base, "least_available_on", lambda device: free)
    assert base._fits_dequantized(on_gpu) == fits
    monkeypatch.setattr(base, "least_available_on", lambda device: 1)
    assert base._fits_dequantized(quantized)  # on a CPU always


def test_dequantized_weights_are_those_that_quantized_ones_multiply_with(tiny_model):
    from bitsandbytes.functional import dequantize_4bit

    method = Method(quantization="nf4", double_quantization=True, compute_dtype="float32")
    options = Model(name=str(tiny_model), source="local", revision=None, watch=str(tiny_model))
    quantized, dequantized = (
        base.load(options, method, flag).model.model.layers[0].mlp.up_proj for flag in (False, True)
    )
    assert type(dequantized) is torch.nn.Linear
    expected = dequantize_4bit(quantized.weight.data, quantized.weight.quant_state)
    assert torch.equal(dequantized.weight, expected)


def test_the_compute_type_fits_the_hardware():
    auto = Method(quantization="none", double_quantization=False, compute_dtype="auto")
    fast = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    assert precision.compute_dtype(auto) == (torch.bfloat16 if fast else torch.float32)


def test_the_c_library_is_told_what_to_keep_where_it_can_be(monkeypatch):
    told = []
    glibc = SimpleNamespace(mallopt=lambda option, size: told.append((option, size)))
    monkeypatch.setattr(base.ctypes, "CDLL", lambda name: glibc)
    base._keep_freed_memory()
    # malloc.h: M_MMAP_THRESHOLD is -3, M_TRIM_THRESHOLD is -1.
    assert told == [(-3, 32 * 2**20), (-1, 256 * 2**20)]
    monkeypatch.setattr(base.ctypes, "CDLL", lambda name: SimpleNamespace())
    base._keep_freed_memory()
    assert len(told) == 2


def test_4bit_weights_stay_as_they_were_loaded_on_every_processor(load, tiny_model, monkeypatch):
    import bitsandbytes

    # As on a CPU with AVX-512 BF16, where bitsandbytes would repack them for inference.
    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
    model = load(tiny_model, quantization="nf4").model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.inference_mode():
        model(input_ids=torch.tensor([[5, 6, 7]]))
    after = model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
