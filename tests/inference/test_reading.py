from dataclasses import replace

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GptOssConfig,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MptConfig,
    PreTrainedConfig,
)

from finetune.core.errors import ModelError
from finetune.inference.reading import Reader, Reading

OPENING = "Anna and Tom talk of the weather.\n"
TEXTS = [OPENING + more for more in ("Tom: It rains", "Anna: The sun is out, all day long!", "No")]


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


# One that sees ten tokens back, one with norms around its MLP, one whose layers go by other names,
# one that counts columns instead of positions, and one whose MLP is a mixture of experts.
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


def made(config: PreTrainedConfig) -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(params=["tiny_model", "digits_model", *CONFIGS])
def base(request, load, tiny_model):
    """Models of several families, with the tokenizer of the tiny one or their own."""
    if request.param not in CONFIGS:
        return load(request.getfixturevalue(request.param))
    loaded = load(tiny_model)
    return replace(loaded, model=made(CONFIGS[request.param](len(loaded.tokenizer))))


@torch.inference_mode()
def alone(base, ids: list[int]) -> torch.Tensor:
    """The logits after a text, read at once and by itself."""
    return base.model(input_ids=torch.tensor([ids])).logits[0, -1]


@pytest.fixture
def prompts(base) -> list[list[int]]:
    return [base.tokenizer(text)["input_ids"] for text in TEXTS]


def reader(base, prompts) -> Reader:
    return Reader(base.model, prompts, base.tokenizer.pad_token_id or 0)


def test_nothing_is_kept_for_a_backward_pass(base, prompts):
    read = reader(base, prompts)
    if read.opening.logits is not None:  # a sliding window reads no opening
        assert not read.opening.logits.requires_grad
    assert not read.read([0, 1], room=0).logits.requires_grad


def test_a_recurrent_model_is_refused():
    config = MambaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, state_size=4)
    with pytest.raises(ModelError, match="MambaForCausalLM does not keep keys and values"):
        Reading(MambaForCausalLM(config), room=0)


@torch.inference_mode()
def test_a_batch_is_read_as_its_rows_are_alone(base, prompts):
    read = reader(base, prompts).read([2, 0, 1], room=0)
    for logits, i in zip(read.logits, [2, 0, 1], strict=True):
        torch.testing.assert_close(logits, alone(base, prompts[i]), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_what_all_prompts_begin_with_is_read_once(load, tiny_model):
    base = load(tiny_model)
    prompts = [base.tokenizer(text)["input_ids"] for text in TEXTS]
    read = reader(base, prompts)
    assert read.common > 5
    assert read.opening.mask.shape == (1, read.common)
    assert read.lengths == [len(prompt) - read.common for prompt in prompts]


@torch.inference_mode()
@pytest.mark.parametrize("logits", [1, 3])
def test_the_last_mlp_works_on_what_is_asked_for_alone(load, tiny_model, logits):
    base = load(tiny_model)
    seen = []
    layers = base.model.get_decoder().layers
    for layer in (layers[0], layers[-1]):
        layer.mlp.down_proj.register_forward_hook(lambda _, x, out: seen.append(out.shape[1]))
    ids = torch.tensor([base.tokenizer(TEXTS[0])["input_ids"]])
    Reading(base.model, room=0).read(ids, logits=logits)
    assert seen == [ids.shape[1], logits]
    base.model(input_ids=ids)
    assert seen[2:] == [ids.shape[1]] * 2


@torch.inference_mode()
def test_alike_prompts_keep_a_token_to_read(load, tiny_model):
    base = load(tiny_model)
    ids = base.tokenizer(OPENING)["input_ids"]
    made = reader(base, [ids, ids])
    assert made.lengths == [1, 1]
    read = made.read([0, 1], room=0)
    torch.testing.assert_close(read.logits[1], alone(base, ids), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("room", [0, 1, 50])
def test_reading_on_is_as_if_all_had_been_read_at_once(base, prompts, room):
    read = reader(base, prompts).read([0, 1, 2], room)
    picked = read.picked([1, 0, 1, 2], room)
    for more in ([7], [8, 9], [10]):
        picked.read(torch.tensor([more] * 4))
    for logits, i in zip(picked.logits, [1, 0, 1, 2], strict=True):
        expected = alone(base, [*prompts[i], 7, 8, 9, 10])
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_copy_leaves_what_it_was_made_of_as_it_was(base, prompts):
    read = reader(base, prompts).read([0, 1, 2], room=4)
    read.picked([2, 1], room=4).read(torch.tensor([[5], [6]]))
    read.read(torch.tensor([[7], [8], [9]]))
    for logits, prompt, token in zip(read.logits, prompts, (7, 8, 9), strict=True):
        expected = alone(base, [*prompt, token])
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_rows_that_leave_do_not_change_those_that_stay(base, prompts):
    read = reader(base, prompts).read([0, 1, 2], room=2)
    read.keep([2, 1])
    read.read(torch.tensor([[5], [6]]))
    read.keep([1])
    read.read(torch.tensor([[7]]))
    expected = alone(base, [*prompts[1], 6, 7])
    torch.testing.assert_close(read.logits[0], expected, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_several_columns_of_logits_are_those_of_a_whole_text(load, tiny_model):
    base = load(tiny_model)
    ids = base.tokenizer(TEXTS[0])["input_ids"]
    read = Reading(base.model, room=0)
    read.read(torch.tensor([ids]), logits=4)
    expected = base.model(input_ids=torch.tensor([ids])).logits[:, -4:]
    torch.testing.assert_close(read.logits, expected, rtol=1e-4, atol=1e-4)
