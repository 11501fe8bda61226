import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from finetune.core.errors import ModelError
from finetune.inference.kv_cache import CachedBatch, prefill
from finetune.modeling.batches import pad_left


def batch_of(base, prompts: list[list[int]], extra_columns: int = 0) -> CachedBatch:
    ids, mask = pad_left(prompts, base.tokenizer.pad_token_id or 0)
    return prefill(base.model, ids, mask, extra_columns)


def assert_close(logits: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_a_recurrent_model_is_refused():
    config = MambaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, state_size=4)
    with pytest.raises(ModelError, match="MambaForCausalLM does not keep keys and values"):
        prefill(MambaForCausalLM(config), torch.tensor([[1, 2]]))


@pytest.mark.parametrize("extra_columns", [0, 1, 50])
def test_decode_steps_give_the_logits_of_a_pass_without_a_cache(
    any_base, prompts, logits_without_cache, extra_columns
):
    batch = batch_of(any_base, prompts, extra_columns)
    copied = batch.select_rows([1, 0, 1, 2], extra_columns)
    for more in ([7], [8, 9], [10]):
        copied.extend(torch.tensor([more] * 4))
    for logits, i in zip(copied.logits, [1, 0, 1, 2], strict=True):
        assert_close(logits, logits_without_cache(any_base, [*prompts[i], 7, 8, 9, 10]))


@pytest.mark.parametrize("extra_columns", [0, 4])
def test_selected_rows_are_a_copy(any_base, prompts, logits_without_cache, extra_columns):
    batch = batch_of(any_base, prompts, extra_columns)
    batch.select_rows([2, 1], extra_columns).extend(torch.tensor([[5], [6]]))
    batch.extend(torch.tensor([[7], [8], [9]]))
    for logits, prompt, token in zip(batch.logits, prompts, (7, 8, 9), strict=True):
        assert_close(logits, logits_without_cache(any_base, [*prompt, token]))


@pytest.mark.parametrize("extra_columns", [0, 4])
def test_extending_a_slice_leaves_its_batch_unchanged(
    any_base, prompts, logits_without_cache, extra_columns
):
    batch = batch_of(any_base, prompts, extra_columns)
    part = batch.slice_rows(1, 3)
    part.extend(torch.tensor([[5], [6]]))
    for logits, ids in zip(part.logits, ([*prompts[1], 5], [*prompts[2], 6]), strict=True):
        assert_close(logits, logits_without_cache(any_base, ids))
    batch.extend(torch.tensor([[7], [8], [9]]))
    for logits, prompt, token in zip(batch.logits, prompts, (7, 8, 9), strict=True):
        assert_close(logits, logits_without_cache(any_base, [*prompt, token]))


def test_rows_that_are_dropped_do_not_change_the_others(any_base, prompts, logits_without_cache):
    batch = batch_of(any_base, prompts, extra_columns=2)
    batch.keep_rows([2, 1])
    batch.extend(torch.tensor([[5], [6]]))
    batch.keep_rows([1])
    batch.extend(torch.tensor([[7]]))
    assert_close(batch.logits[0], logits_without_cache(any_base, [*prompts[1], 6, 7]))


@torch.inference_mode()
def test_logits_of_several_columns_are_those_of_a_pass_without_a_cache(load, tiny_model):
    base = load(tiny_model)
    ids = torch.tensor([base.tokenizer("Anna: The sun is out, all day long!")["input_ids"]])
    batch = prefill(base.model, ids[:, :-4])
    logits = batch.extend(ids[:, -4:], num_logits=3)
    expected = base.model(input_ids=ids).logits[:, -3:]
    assert_close(logits, expected)
    assert_close(batch.logits, expected[:, -1])


@torch.inference_mode()
@pytest.mark.parametrize("num_logits", [1, 3])
def test_the_last_mlp_computes_only_the_columns_whose_logits_are_asked_for(
    load, tiny_model, num_logits
):
    base = load(tiny_model)
    ids = torch.tensor([base.tokenizer("Anna: The sun is out, all day long!")["input_ids"]])
    batch = prefill(base.model, ids)
    columns = []
    layers = base.model.get_decoder().layers
    for layer in (layers[0], layers[-1]):
        layer.mlp.down_proj.register_forward_hook(lambda _, x, out: columns.append(out.shape[1]))
    batch.extend(ids, num_logits=num_logits)
    assert columns == [ids.shape[1], num_logits]
    base.model(input_ids=ids)
    assert columns[2:] == [ids.shape[1]] * 2
