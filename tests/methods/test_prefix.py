import pytest
from transformers import MistralConfig, MistralForCausalLM

from finetune.core.errors import ModelError
from finetune.core.schema import Lora
from finetune.methods import prefix

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
SIZES = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 64,
}  # fmt: skip


def sliding(window: int) -> MistralForCausalLM:
    return MistralForCausalLM(MistralConfig(sliding_window=window, **SIZES))


def test_only_the_prefix_is_trained(load, tiny_model, methods):
    model = prefix.attach(load(tiny_model).model, LORA, methods["prefix"])
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained == ["prompt_encoder.default.embedding.weight"]


def test_a_model_that_does_not_see_the_prefix_from_everywhere_is_refused(methods):
    with pytest.raises(ModelError, match=r"see 3 tokens back, .* use -S method=qlora$") as raised:
        prefix.attach(sliding(3), LORA, methods["prefix"])
    assert "\n" not in str(raised.value)
    prefix.attach(sliding(64), LORA, methods["prefix"])  # a window as wide as the context
