"""Models of several architectures, and prompts that share a prefix."""

from dataclasses import replace

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GptOssConfig,
    MistralConfig,
    MptConfig,
)

PREFIX = "Anna and Tom talk of the weather.\n"
TEXTS = [PREFIX + more for more in ("Tom: It rains", "Anna: The sun is out, all day long!", "No")]


def _sizes(**more) -> dict:
    return {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.2,
        **more,
    }


# A sliding window of ten tokens, norms around the MLP, layers under other names, ALiBi by columns
# instead of position ids, and an MLP that is a mixture of experts.
CONFIGS = {
    "sliding": lambda vocab: MistralConfig(vocab_size=vocab, sliding_window=10, **_sizes()),
    "gemma": lambda vocab: Gemma3TextConfig(vocab_size=vocab, head_dim=16, **_sizes()),
    "gpt2": lambda vocab: GPT2Config(vocab_size=vocab, n_embd=64, n_layer=2, n_head=4),
    "mpt": lambda vocab: MptConfig(
        vocab_size=vocab, d_model=64, n_layers=2, n_heads=4, expansion_ratio=1
    ),
    "experts": lambda vocab: GptOssConfig(
        vocab_size=vocab, num_local_experts=4, head_dim=16, **_sizes()
    ),
}


@pytest.fixture(params=["tiny_model", "digits_model", *CONFIGS])
def any_base(request, load, tiny_model):
    """Models of several architectures, with the tokenizer of the tiny one or their own."""
    if request.param not in CONFIGS:
        return load(request.getfixturevalue(request.param))
    base = load(tiny_model)
    torch.manual_seed(0)
    config = CONFIGS[request.param](len(base.tokenizer))
    return replace(base, model=AutoModelForCausalLM.from_config(config).eval())


@pytest.fixture
def prompts(any_base) -> list[list[int]]:
    """The ids of some prompts with a common prefix, in the tokens of `any_base`."""
    return [any_base.tokenizer(text)["input_ids"] for text in TEXTS]


@pytest.fixture
def logits_without_cache():
    """The logits after a sequence from one forward pass over it alone, without a cache."""

    @torch.inference_mode()
    def logits(base, ids: list[int]) -> torch.Tensor:
        return base.model(input_ids=torch.tensor([ids])).logits[0, -1]

    return logits
