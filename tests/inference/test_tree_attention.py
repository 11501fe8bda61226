import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    MptConfig,
    PreTrainedConfig,
)

from finetune.core.schema import Lora
from finetune.inference import tree_attention
from finetune.inference.budgets import Budgets
from finetune.inference.prefill import Prefiller
from finetune.methods.lora import attach

BUDGETS = Budgets(1000, cache_bytes=2**24)
SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
}
PROMPTS = [[1, 2, 3, 4, 5], [1, 2, 9], [1, 2, 6, 7]]
# A tree: 10, below it 11 and 12, below the latter 10 again; and 13 by itself.
PATHS = [(10,), (13,), (10, 11), (10, 12), (10, 12, 10)]


def made(config: PreTrainedConfig) -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@torch.inference_mode()
def check(model: torch.nn.Module) -> None:
    assert tree_attention.supports(model)
    batch = Prefiller(model, PROMPTS, 0, BUDGETS).prefill([2, 0, 1], extra_columns=len(PATHS))
    node_logits = tree_attention.node_logits(batch, PATHS)
    for of_row, row in zip(node_logits, [2, 0, 1], strict=True):
        for logits, path in zip(of_row, PATHS, strict=True):
            alone = model(input_ids=torch.tensor([[*PROMPTS[row], *path]])).logits[0, -1]
            torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    "config",
    [LlamaConfig(**SIZES), GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4)],
    ids=["llama", "gpt2"],
)
def test_a_node_sees_its_prompt_and_its_ancestors_alone(config, attention):
    config._attn_implementation = attention
    check(made(config))


def test_so_it_does_with_an_adapter_attached():
    model = attach(
        made(LlamaConfig(**SIZES)),
        Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear"),
    )
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    check(model.eval())


@torch.inference_mode()
def test_the_prompts_can_be_decoded_after_it_as_before():
    model = made(LlamaConfig(**SIZES))
    batch, untouched = (
        Prefiller(model, PROMPTS, 0, BUDGETS).prefill([0, 1, 2], len(PATHS)) for _ in range(2)
    )
    tree_attention.node_logits(batch, PATHS)
    for each in (batch, untouched):
        each.extend(torch.tensor([[7]] * 3))
    assert torch.equal(batch.logits, untouched.logits)


@pytest.mark.parametrize(
    "config",
    [
        MistralConfig(sliding_window=3, **SIZES),
        MptConfig(vocab_size=50, d_model=32, n_layers=2, n_heads=4, expansion_ratio=1),
    ],
    ids=["sliding", "mpt"],
)
def test_models_that_do_not_attend_by_such_a_mask_are_known(config):
    assert not tree_attention.supports(made(config))
