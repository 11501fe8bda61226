import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from finetune.core.errors import ModelError
from finetune.core.schema import Lora
from finetune.inference.merging import merged_adapter
from finetune.methods import adapters, lora

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")


def with_biases() -> LlamaForCausalLM:
    """A model whose attention has biases."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=60, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, attention_bias=True, max_position_embeddings=64,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def two_ended(tied: bool) -> LlamaForCausalLM:
    """A model whose input and output embeddings are one tensor, or two."""
    config = LlamaConfig(
        vocab_size=60, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, tie_word_embeddings=tied, max_position_embeddings=64,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


@torch.inference_mode()
def logits(model) -> torch.Tensor:
    return model(input_ids=torch.arange(20)[None]).logits


def test_alpha_is_as_it_is_given_or_a_ratio_of_r():
    assert LORA.effective_alpha == 8.0
    ratio = LORA.model_copy(update={"alpha_ratio": 2.0, "r": 64})
    assert ratio.effective_alpha == 128.0


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_are_trained_saved_and_loaded(tmp_path, bias):
    model = lora.attach(with_biases(), LORA.model_copy(update={"bias": bias}))
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad and "bias" in n}
    assert len(trained) == 2 * 4
    with torch.no_grad():
        for tensor in trained.values():
            tensor += 0.5
    lora.save(model.eval(), tmp_path)
    again = adapters.load(with_biases(), tmp_path)
    assert torch.equal(logits(again), logits(model))
    assert not torch.allclose(logits(again), logits(with_biases()))


def test_a_model_without_biases_says_so(load, tiny_model):
    options = LORA.model_copy(update={"bias": "all"})
    with pytest.raises(ModelError, match=r"lora.bias: is all, and this model has no such biases"):
        lora.attach(load(tiny_model).model, options)


@pytest.mark.parametrize("modules", [["c_attn"], "nothing_.*"])
def test_modules_that_the_model_lacks_are_one_line(load, tiny_model, modules):
    options = LORA.model_copy(update={"target_modules": modules})
    with pytest.raises(ModelError, match=r"^lora\.target_modules: does not fit this model: ") as it:
        lora.attach(load(tiny_model).model, options)
    assert "\n" not in str(it.value)


@pytest.mark.parametrize("end", ["lm_head", "embed_tokens"])
def test_ends_that_share_their_weights_are_refused_in_one_line(end):
    options = LORA.model_copy(update={"target_modules": ["q_proj", end]})
    with pytest.raises(ModelError, match=r"^lora\.target_modules: names .* share their weights"):
        lora.attach(two_ended(tied=True), options)
    model = lora.attach(two_ended(tied=False), options)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    unmerged = logits(model.eval())
    with merged_adapter(model):
        assert torch.allclose(logits(model), unmerged, atol=1e-5)


def test_an_adapter_that_was_trained_on_shared_weights_elsewhere_is_not_loaded(tmp_path):
    elsewhere = LoraConfig(r=4, target_modules=["lm_head"], task_type="CAUSAL_LM")
    get_peft_model(two_ended(tied=True), elsewhere).save_pretrained(
        tmp_path, save_embedding_layers=False
    )
    with pytest.raises(ModelError, match=r": names .* share their weights") as error:
        adapters.load(two_ended(tied=True), tmp_path)
    assert str(error.value).startswith(str(tmp_path))


def test_dropout_before_the_output_layer_is_refused_in_one_line():
    options = LORA.model_copy(update={"target_modules": ["lm_head"], "dropout": 0.1})
    with pytest.raises(ModelError, match=r"^lora\.dropout: is 0\.1, must be 0 where"):
        lora.attach(two_ended(tied=False), options)


def test_modules_of_any_name_are_taken(load, tiny_model):
    options = LORA.model_copy(update={"target_modules": r".*layers\.1\.mlp\.up_proj"})
    model = lora.attach(load(tiny_model).model, options)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == 2
    assert all("layers.1.mlp.up_proj" in name for name in trained)


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_a_start_from_the_bases_weights_gives_what_the_base_gives(load, tiny_model, init):
    before = logits(load(tiny_model).model)
    model = lora.attach(load(tiny_model).model, LORA.model_copy(update={"init": init})).eval()
    torch.testing.assert_close(logits(model), before, rtol=1e-3, atol=1e-3)
    factors = [p for name, p in model.named_parameters() if "lora_B" in name]
    assert all(factor.abs().max() > 0 for factor in factors)


LOADED = """
import sys, torch
from pathlib import Path
from finetune.core.schema import Method, Model
from finetune.methods import registry
model, folder, out = sys.argv[1:]
how = Method(quantization="none", double_quantization=False, compute_dtype="float32")
options = Model(name=model, source="local", revision=None, watch=model)
with torch.inference_mode():
    base = registry.load(options, how, Path(folder))
    torch.save(base.model(input_ids=torch.arange(20)[None]).logits, out)
"""


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_so_it_does_in_a_process_that_loads_what_was_trained(load, tiny_model, tmp_path, init):
    model = lora.attach(load(tiny_model).model, LORA.model_copy(update={"init": init})).eval()
    with torch.no_grad():
        for name, factor in model.named_parameters():
            if "lora_" in name:
                factor *= 1.5
    lora.save(model, tmp_path)
    out = tmp_path / "logits.pt"
    command = [sys.executable, "-c", LOADED, str(tiny_model), str(tmp_path), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    torch.testing.assert_close(torch.load(out), logits(model), rtol=1e-5, atol=1e-5)


def test_what_peft_refuses_is_one_line(load, tiny_model):
    options = LORA.model_copy(update={"init": "orthogonal", "r": 3})
    with pytest.raises(ModelError, match=r"^lora: .*requires the LoRA rank to be even, got 3"):
        lora.attach(load(tiny_model).model, options)
