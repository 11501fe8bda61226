import pytest
import torch

from finetune.inference.budgets import Budgets
from finetune.inference.prefill import Prefiller


def prefiller(base, prompts, tokens: int = 1000) -> Prefiller:
    budgets = Budgets(tokens, cache_bytes=2**24)
    return Prefiller(base.model, prompts, base.tokenizer.pad_token_id or 0, budgets)


def test_no_autograd_graph_is_kept(any_base, prompts):
    made = prefiller(any_base, prompts)
    if made.prefix is not None:  # none with a sliding window
        assert not made.prefix.logits.requires_grad
    assert not made.prefill([0, 1], extra_columns=0).logits.requires_grad


def test_rows_of_a_batch_have_the_logits_of_single_prompts(any_base, prompts, logits_without_cache):
    batch = prefiller(any_base, prompts).prefill([2, 0, 1], extra_columns=0)
    for logits, i in zip(batch.logits, [2, 0, 1], strict=True):
        expected = logits_without_cache(any_base, prompts[i])
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tokens", [1, 30, 45])  # a row, or two, at once
def test_a_batch_prefilled_in_parts_decodes_as_single_prompts(
    any_base, prompts, logits_without_cache, tokens
):
    made = prefiller(any_base, [*prompts, [5, 6]], tokens)  # the last has no prefix in common
    batch = made.prefill([2, 3, 0, 1], extra_columns=1)
    batch.extend(torch.tensor([[7]] * 4))
    batch.keep_rows([1, 0, 3])
    batch.extend(torch.tensor([[8]] * 3))
    for logits, i in zip(batch.logits, [3, 2, 1], strict=True):
        expected = logits_without_cache(any_base, [*made.prompts[i], 7, 8])
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("any_base", ["tiny_model"], indirect=True)
def test_parts_share_the_prefix_and_batches_are_as_large_as_decode_together(
    any_base, prompts, logits_without_cache
):
    made = prefiller(any_base, prompts, tokens=20)
    assert made.prefix_length
    assert made.max_rows(10)(10) > 2
    batch = made.prefill([0, 1, 2], extra_columns=0)
    for logits, prompt in zip(batch.logits, prompts, strict=True):
        expected = logits_without_cache(any_base, prompt)
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("any_base", ["tiny_model"], indirect=True)
def test_the_common_prefix_is_prefilled_once(any_base, prompts):
    made = prefiller(any_base, prompts)
    assert made.prefix_length > 5
    assert made.prefix.mask.shape == (1, made.prefix_length)
    assert made.suffix_lengths == [len(prompt) - made.prefix_length for prompt in prompts]


@pytest.mark.parametrize("any_base", ["sliding", "mpt"], indirect=True)
def test_models_that_cannot_share_a_prefix_prefill_whole_prompts(any_base, prompts):
    made = prefiller(any_base, prompts)
    assert made.prefix is None
    assert made.suffix_lengths == [len(prompt) for prompt in prompts]


@pytest.mark.parametrize("any_base", ["tiny_model"], indirect=True)
def test_identical_prompts_keep_one_token_behind_the_prefix(
    any_base, prompts, logits_without_cache
):
    made = prefiller(any_base, [prompts[0]] * 2)
    assert made.suffix_lengths == [1, 1]
    batch = made.prefill([0, 1], extra_columns=0)
    expected = logits_without_cache(any_base, prompts[0])
    torch.testing.assert_close(batch.logits[1], expected, rtol=1e-4, atol=1e-4)
