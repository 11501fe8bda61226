"""Inference with a trained prefix, against PEFT's own forward pass and `generate`."""

import pytest
import torch
from peft import PeftModel
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, set_seed

from finetune.core.schema import Lora, TextEval
from finetune.forgetting import likelihood, texts
from finetune.inference import tree_attention
from finetune.inference.budgets import Budgets
from finetune.inference.choices import distributions
from finetune.inference.generate import GenerationContext, beam_search, generate, greedy, sample
from finetune.inference.kv_cache import num_virtual_tokens, prefill
from finetune.inference.prefill import Prefiller
from finetune.methods import prefix
from finetune.modeling.batches import pad_left
from finetune.modeling.choice_tree import choice_tree
from finetune.modeling.prompts import PromptEncoder

LORA = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
BUDGETS = Budgets(1000, cache_bytes=2**24)
TEXTS = ["Anna: Hi!", "Tom: The train leaves at 6, so be at the station in time.", "Eva: Ok"]
SHARED = "Summarize what they say to each other. "


@pytest.fixture
def tuned(load, tiny_model, methods):
    """A base with a prefix that says something."""
    base = load(tiny_model)
    set_seed(0)
    model = prefix.attach(base.model, LORA, methods["prefix"]).eval()
    return base.with_model(model).without_positions(3)


@pytest.fixture(params=["", SHARED], ids=["apart", "shared"])
def prompts(tuned, request) -> list[list[int]]:
    return [tuned.tokenizer(request.param + text)["input_ids"] for text in TEXTS]


def context(base, prompt_tokens: int = 1000) -> GenerationContext:
    return GenerationContext(
        base.model, base.tokenizer, Budgets(prompt_tokens, cache_bytes=2**24), 8, "test"
    )


@torch.inference_mode()
def own(base, rows: list[list[int]], **how: object) -> list[str]:
    """What PEFT's `generate` writes, prompts of unequal lengths padded on the left."""
    ids, mask = pad_left(rows, base.tokenizer.pad_token_id)
    out = base.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=8, **how)
    return [
        base.tokenizer.decode(row[ids.shape[1] :], skip_special_tokens=True).strip() for row in out
    ]


@torch.inference_mode()
def last_logits(model, ids: list[int]) -> torch.Tensor:
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]


@torch.inference_mode()
def own_nll(model, ids: list[int], completion: list[int]) -> float:
    logits = model(input_ids=torch.tensor([ids + completion[:-1]]), use_cache=False).logits[0]
    picked = logits[len(ids) - 1 :].log_softmax(-1)[range(len(completion)), completion]
    return -picked.sum().item()


def test_greedy_answers_are_those_of_the_users_own_generate(tuned, prompts):
    answers = [answer.text for answer in greedy(context(tuned), prompts)]
    assert answers == [own(tuned, [ids])[0] for ids in prompts]
    assert answers == own(tuned, prompts)
    assert answers == [greedy(context(tuned, 1), [ids])[0].text for ids in prompts]
    untuned = tuned.with_model(tuned.model.get_base_model())
    assert answers != [answer.text for answer in greedy(context(untuned), prompts)]


def test_beams_are_those_of_the_users_own_search(tuned, prompts):
    expected = [own(tuned, [ids], num_beams=3)[0] for ids in prompts]
    assert [answer.text for answer in beam_search(context(tuned), prompts, 3)] == expected


def test_sampling_sees_the_prefix(tuned, prompts):
    cold = sample(context(tuned), prompts, 2, 1e-4, seed=5)
    best = greedy(context(tuned), prompts)
    assert cold == [[answer] * 2 for answer in best]
    options = TextEval(
        shots=0, seed=5, decode="mbr", beams=2, samples=3, temperature=1e-4
    )  # every candidate is the greedy one
    assert generate(context(tuned), prompts, None, options) == best


def test_references_are_scored_behind_the_prefix(tuned, prompts):
    references = [[5, 6, 7], [8, 9, 10, 11, 12], [13]]
    answers = greedy(context(tuned), prompts, references)
    expected = [own_nll(tuned.model, *pair) for pair in zip(prompts, references, strict=True)]
    assert [answer.reference_nll for answer in answers] == pytest.approx(expected, rel=1e-4)


def test_prices_are_distributed_as_the_models_own_passes_say(tuned, prompt):
    encoder = PromptEncoder(tuned.tokenizer, prompt, tuned.context)
    choices = [f"{n}.{n % 10}" for n in range(1, 30)]  # of several tokens each
    tree = choice_tree(encoder, choices, "price")
    assert len(tree.levels) > 1
    ids = [encoder.encode(text).ids for text in TEXTS]
    rows = distributions(tuned.model, ids, tree, 0.0, BUDGETS, 0, "test")
    for row, prompt_ids in zip(rows, ids, strict=True):
        for number, (path, others) in enumerate(tree.endings):
            expected = torch.tensor(-own_nll(tuned.model, prompt_ids, list(path))).exp()
            after = last_logits(tuned.model, [*prompt_ids, *path]).softmax(-1)
            expected *= 1 - after[others].sum()
            assert row.probabilities[number] * row.mass == pytest.approx(
                expected.item(), rel=1e-3, abs=1e-9
            )


def test_general_text_is_read_behind_the_prefix(tuned):
    items = texts.items()[:3] + texts.items()[-3:]
    rows = likelihood.rows(tuned, tuned.model, items, BUDGETS, "test")
    encoded = [likelihood.encode(tuned.tokenizer, item, tuned.context) for item in items]
    expected = [own_nll(tuned.model, each.context, each.scored) for each in encoded]
    assert [row["nll"] for row in rows] == pytest.approx(expected, rel=1e-3)


def sizes(head: int = 4, **rest: object) -> dict:
    return {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": head, **rest}  # fmt: skip


@pytest.mark.parametrize(
    "made",
    [
        lambda: LlamaForCausalLM(LlamaConfig(**sizes(2))),
        lambda: LlamaForCausalLM(LlamaConfig(**sizes(2, head_dim=16))),
        lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4)),
    ],
    ids=["grouped queries", "wide heads", "gpt2"],
)
def test_a_cache_begins_with_the_prefix_whatever_the_attention(made, methods):
    set_seed(1)
    model = prefix.attach(made(), LORA, methods["prefix"]).eval()
    rows = [[4, 5, 6, 7, 8], [9, 10], [11, 12, 13]]
    batch = Prefiller(model, rows, 0, BUDGETS).prefill([0, 1, 2], extra_columns=2)
    assert not isinstance(batch.model, PeftModel)
    assert batch.mask[:, :3].all()
    assert tree_attention.supports(model)
    for step in range(2):
        for logits, ids in zip(batch.logits, rows, strict=True):
            expected = last_logits(model, [*ids, *range(20, 20 + step)])
            torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
        batch.extend(torch.full((3, 1), 20 + step))


def test_its_columns_are_reserved_with_those_of_the_prompt(tuned):
    assert num_virtual_tokens(tuned.model) == 3
    assert num_virtual_tokens(tuned.model.get_base_model()) == 0
    batch = prefill(tuned.model, torch.tensor([[5, 6, 7]]), extra_columns=4)
    buffers = [layer.buffers[0].data_ptr() for layer in batch.cache.layers]
    for _ in range(4):
        batch.extend(torch.tensor([[9]]))
    assert [layer.buffers[0].data_ptr() for layer in batch.cache.layers] == buffers
    assert Prefiller(tuned.model, [[5, 6, 7], [5, 6, 8]], 0, BUDGETS).columns_before == 2 + 3
