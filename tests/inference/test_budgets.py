from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import GPT2Config, LlamaConfig, MptConfig, PreTrainedConfig

from finetune.core import memory, params
from finetune.core.schema import Run
from finetune.inference import budgets
from finetune.inference.budgets import Budgets

GIB = 2**30


ROOT = Path(__file__).parents[2]

LLAMA_8B = LlamaConfig(
    vocab_size=128_256,
    hidden_size=4096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
)
SMOLLM2 = LlamaConfig(
    vocab_size=49_152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
)
SMALL = LlamaConfig(
    vocab_size=100, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, head_dim=8
)


def run(**changed: object) -> Run:
    """The default, all `auto`, with some of it changed."""
    return params.read(ROOT / "params.yaml").run.model_copy(update=changed)


def model(config: PreTrainedConfig, dtype: torch.dtype = torch.float32) -> SimpleNamespace:
    return SimpleNamespace(config=config, dtype=dtype, device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("config", "dtype", "expected"),
    [
        (LLAMA_8B, torch.bfloat16, 131_072),
        (SMALL, torch.float32, 2 * 2 * 4 * 8 * 4),
        (GPT2Config(n_embd=64, n_layer=3, n_head=4), torch.float32, 2 * 3 * 64 * 4),
        (MptConfig(d_model=64, n_layers=3, n_heads=4), torch.float32, 2 * 3 * 64 * 4),
    ],
    ids=["llama-8b", "head_dim", "gpt2", "mpt"],
)
def test_keys_and_values_are_counted_in_bytes(config, dtype, expected):
    assert budgets.cache_bytes_per_token(model(config, dtype)) == expected


def test_they_are_what_a_cache_takes(load, tiny_model):
    loaded = load(tiny_model).model
    with torch.inference_mode():
        cache = loaded(input_ids=torch.tensor([[5, 6, 7]]), use_cache=True).past_key_values
    taken = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert taken == 3 * budgets.cache_bytes_per_token(loaded)


def test_what_run_gives_is_what_is_used():
    given = run(eval_token_budget=700, cache_gb=0.25)
    assert budgets.resolve(given, model(SMALL)) == Budgets(700, 250_000_000)


def test_auto_comes_to_the_same_wherever_there_is_enough(monkeypatch):
    seen = set()
    for free in (2.1, 5, 13.7, 200):
        monkeypatch.setattr(budgets, "least_available_on", lambda *_, free=free: int(free * GIB))
        seen.add(budgets.resolve(run(), model(SMOLLM2)))
    assert seen == {Budgets(budgets.MAX_PROMPT_TOKENS["cpu"], GIB)}


def test_auto_takes_less_where_there_is_less(monkeypatch):
    monkeypatch.setattr(budgets, "least_available_on", lambda *_: int(0.9 * GIB))
    resolved = budgets.resolve(run(), model(LLAMA_8B))
    assert resolved.cache_bytes == GIB // 4
    activations = resolved.prompt_tokens * budgets.activation_bytes_per_token(model(LLAMA_8B))
    assert 0.1 * GIB < activations < 0.25 * GIB
    assert resolved.prompt_tokens.bit_count() == 1  # a power of two, for the same again and again


def test_of_several_processes_that_with_the_least_memory_decides(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda limit: 200 * GIB)
    monkeypatch.setattr(memory.processes, "gathered", lambda ours: [ours, int(0.9 * GIB)])
    assert budgets.resolve(run(), model(LLAMA_8B)).cache_bytes == GIB // 4


def test_the_limit_of_run_counts(monkeypatch):
    seen = []
    monkeypatch.setattr(memory, "available", lambda limit: seen.append(limit) or 0)
    assert budgets.resolve(run(memory_gb=3.0), model(SMALL)) == Budgets(1, 1)
    assert seen == [3.0]


def test_a_batch_keeps_to_both_budgets_and_to_that_of_logits():
    small = model(SMALL)
    column = budgets.cache_bytes_per_token(small)
    assert Budgets(100, GIB).max_rows(small, columns=5)(10) == 10
    assert Budgets(100, 60 * column).max_rows(small, columns=5)(10) == 4
    assert Budgets(100, 60 * column).max_rows(small, columns=5, copies=2)(10) == 2
    assert Budgets(100, column).max_rows(small, columns=5)(10) == 1  # one in any case
    wide = model(LlamaConfig(vocab_size=budgets.MAX_LOGITS // 3, num_hidden_layers=1))
    assert Budgets(100_000, GIB).max_rows(wide, columns=5)(10) == 3
    assert Budgets(100_000, GIB).max_logit_tokens(wide) == 3


def test_metrics_name_them():
    assert Budgets(4096, GIB // 2).metrics() == {"prompt_tokens": 4096, "cache_gb": 0.537}
