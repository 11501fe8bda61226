import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from finetune.core.errors import ModelError
from finetune.core.schema import Model
from finetune.methods import full, registry
from finetune.modeling import base as base_model


@pytest.fixture
def saved(load, tiny_model, tmp_path):
    """A model's folder as the stage writes it."""
    base = load(tiny_model)
    full.save(full.attach(base.model), tmp_path, base.tokenizer)
    return tmp_path


def options(folder) -> Model:
    return Model(name=str(folder), source="local", revision=None, watch=str(folder))


def test_weights_are_trained_in_float32_whatever_they_compute_in(load, tiny_model):
    model = full.attach(load(tiny_model).model.to(torch.bfloat16))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(p.requires_grad for p in model.parameters())


def test_its_folder_is_a_model_like_any_other(saved, tiny_model, methods):
    base = base_model.load(options(saved), methods["lora"])
    assert base.tokenizer("Anna")["input_ids"]
    texts = [file.read_text() for file in saved.glob("*.json")]
    assert not [text for text in texts if str(tiny_model.parent) in text]


def test_tied_weights_stand_once(tiny_model, tmp_path):
    config = LlamaConfig(
        vocab_size=1800, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=4, tie_word_embeddings=True,
    )  # fmt: skip
    model = full.attach(LlamaForCausalLM(config))
    full.save(model, tmp_path, AutoTokenizer.from_pretrained(tiny_model))
    names = load_file(tmp_path / full.WEIGHTS)
    assert "lm_head.weight" not in names
    assert registry.trainable_parameters(model) == sum(each.numel() for each in names.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.popitem(), "lacks weights"),
        (lambda tensors: tensors["model.norm.weight"].fill_(torch.nan), "NaN"),
    ],
)
def test_a_damaged_model_is_one_line_that_names_its_folder(
    saved, tiny_model, methods, change, said
):
    tensors = load_file(saved / full.WEIGHTS)
    change(tensors)
    save_file(tensors, saved / full.WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=said) as raised:
        registry.load(options(tiny_model), methods["full"], saved)
    assert str(raised.value).startswith(f"{saved}: ")
    assert "dvc checkout" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_model_that_was_not_written_whole_is_noticed(load, tiny_model, tmp_path, monkeypatch):
    base = load(tiny_model)
    model = full.attach(base.model)
    write = model.save_pretrained

    def damaged(folder, **rest):
        write(folder, **rest)
        tensors = load_file(folder / full.WEIGHTS)
        tensors["model.norm.weight"] += 1
        save_file(tensors, folder / full.WEIGHTS, metadata={"format": "pt"})

    monkeypatch.setattr(model, "save_pretrained", damaged)
    with pytest.raises(ModelError, match=r"model\.norm\.weight differs from the trained model"):
        full.save(model, tmp_path, base.tokenizer)
