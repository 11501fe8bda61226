import math

import pytest
import torch

from finetune.core.errors import ModelError
from finetune.core.schema import Bootstrap, Lora
from finetune.forgetting import likelihood, texts
from finetune.forgetting.likelihood import encode
from finetune.forgetting.texts import Item
from finetune.inference.budgets import Budgets
from finetune.methods.lora import attach
from finetune.scoring.forgetting import bits, forgetting

BUDGETS = Budgets(prompt_tokens=4096, cache_bytes=2**28)
PARAGRAPH = Item("page-1", "page", "", "Bees dance, and so they tell the way.")
EXERCISE = Item("fact-1", "exercises", "The plural of mouse is", " mice.")


@pytest.fixture(params=["tiny_model", "digits_model"])
def base(request, load):
    return load(request.getfixturevalue(request.param))


@torch.inference_mode()
def own_nll(base, model, item: Item) -> float:
    """The sum over the text's tokens, by one forward pass over this item alone."""
    encoded = encode(base.tokenizer, item, base.context)
    ids = torch.tensor([encoded.context + encoded.scored])
    log_probabilities = model(input_ids=ids).logits[0].float().log_softmax(-1)
    at = range(len(encoded.context), ids.shape[1])
    return -sum(log_probabilities[i - 1, ids[0, i]].item() for i in at)


@pytest.mark.parametrize("budget", [1, 300, 4096])
def test_batches_give_what_a_forward_pass_over_each_item_gives(base, budget):
    items = texts.items()
    budgets = Budgets(prompt_tokens=budget, cache_bytes=2**24)
    rows = likelihood.rows(base, base.model, items, budgets, "test")
    assert [row["id"] for row in rows] == [item.id for item in items]
    assert [row["part"] for row in rows] == [item.part for item in items]
    expected = [own_nll(base, base.model, item) for item in items]
    assert [row["nll"] for row in rows] == pytest.approx(expected, rel=1e-4)


def test_an_adapter_counts_and_is_detached_from_the_weights_again(load, tiny_model):
    base = load(tiny_model)
    before = likelihood.rows(base, base.model, texts.items(), BUDGETS, "test")
    options = Lora(r=2, alpha=4.0, dropout=0.0, target_modules="all-linear")
    tuned = attach(base.model, options).eval()
    same = likelihood.rows(base, tuned, texts.items(), BUDGETS, "test")
    assert [row["nll"] for row in same] == pytest.approx([row["nll"] for row in before], rel=1e-4)
    torch.manual_seed(0)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.1)
    weights = tuned.get_base_model().model.layers[0].mlp.up_proj.base_layer.weight
    original = weights.detach().clone()
    rows = likelihood.rows(base, tuned, texts.items(), BUDGETS, "test")
    expected = [own_nll(base, tuned, item) for item in texts.items()]
    assert [row["nll"] for row in rows] == pytest.approx(expected, rel=1e-3)
    assert [row["nll"] for row in rows] != [row["nll"] for row in before]
    assert torch.equal(weights, original)


def test_a_model_whose_output_knows_no_token_from_another_needs_the_bits_of_its_vocabulary(base):
    base.model.lm_head.weight.data.zero_()
    rows = likelihood.rows(base, base.model, texts.items(), BUDGETS, "test")
    uniform = math.log2(base.model.config.vocab_size)
    expected = [uniform * row["tokens"] / row["bytes"] for row in rows]
    assert bits(rows) == pytest.approx(expected, rel=1e-4)


def test_every_byte_of_a_text_counts_after_bos_and_of_an_exercise_those_of_the_answer(base):
    rows = likelihood.rows(base, base.model, [PARAGRAPH, EXERCISE], BUDGETS, "test")
    assert [row["bytes"] for row in rows] == [len(PARAGRAPH.text), len(EXERCISE.text)]
    assert not any(row["truncated"] for row in rows)
    for item, row in zip((PARAGRAPH, EXERCISE), rows, strict=True):
        encoded = encode(base.tokenizer, item, base.context)
        assert encoded.context[0] == base.tokenizer.bos_token_id
        assert base.tokenizer.decode(encoded.scored) == item.text
        assert base.tokenizer.decode(encoded.context[1:]) == item.prompt
        assert row["tokens"] == len(encoded.scored)


def test_without_bos_the_first_token_is_skipped_with_its_bytes(base):
    tokenizer = base.tokenizer
    tokenizer.bos_token = None
    paragraph, exercise = (encode(tokenizer, item, 256) for item in (PARAGRAPH, EXERCISE))
    first = tokenizer.decode(paragraph.context)
    assert len(paragraph.context) == 1
    assert first + tokenizer.decode(paragraph.scored) == PARAGRAPH.text
    assert paragraph.num_bytes == len(PARAGRAPH.text) - len(first)
    assert tokenizer.decode(exercise.context) == EXERCISE.prompt
    assert exercise.num_bytes == len(EXERCISE.text)


def test_bytes_are_those_of_utf_8(load, digits_model):
    base = load(digits_model)
    encoded = encode(base.tokenizer, Item("a", "page", "Grün ist", " schön, 9 €"), 256)
    assert encoded.num_bytes == len(encoded.scored) == len(" schön, 9 €".encode())


def test_a_text_longer_than_the_context_is_truncated_and_says_so(base):
    long = Item("page-1", "page", "", "Bees dance. " * 300)
    (row,) = likelihood.rows(base, base.model, [long], BUDGETS, "test")
    assert row["truncated"]
    assert row["tokens"] == base.context - 1
    encoded = encode(base.tokenizer, long, base.context)
    assert long.text.startswith(kept := base.tokenizer.decode(encoded.scored))
    assert row["bytes"] == len(kept)


def test_of_a_long_prompt_the_beginning_is_truncated_and_the_answer_kept(base):
    long = Item("a", "exercises", "Bees dance. " * 300 + "They are", " bees.")
    encoded = encode(base.tokenizer, long, base.context)
    assert len(encoded.context) + len(encoded.scored) == base.context
    assert encoded.truncated
    assert encoded.num_bytes == len(" bees.")
    assert base.tokenizer.decode(encoded.context).endswith("They are")


def test_a_token_across_the_end_of_the_prompt_counts_with_its_bytes():
    class Merging:
        """A tokenizer of which one token is the last letter of the prompt and the answer."""

        bos_token_id = 0

        def __call__(self, text: str, **_: object) -> dict[str, list]:
            assert text == "cats"
            return {"input_ids": [5, 6], "offset_mapping": [(0, 2), (2, 4)]}

    encoded = encode(Merging(), Item("a", "exercises", "cat", "s"), 256)
    assert (encoded.context, encoded.scored, encoded.num_bytes) == ([0, 5], [6], 2)


def test_a_model_whose_outputs_are_no_numbers_is_one_clear_line(load, tiny_model):
    base = load(tiny_model)
    base.model.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"test page: .* no finite likelihood"):
        likelihood.rows(base, base.model, texts.items(), BUDGETS, "test")


def test_a_planted_forgetting_costs_bits_in_both_parts(load, tiny_model):
    """A model that has learned the texts, and the same with its weights perturbed.

    Not the embedded one: it knows its toy world alone, is sure of it, and finds general text
    likelier where noise makes it less sure.
    """
    base = load(tiny_model)
    items = [*texts.page()[:3], *texts.exercises()[:12]]
    learn(base, items)
    known = likelihood.rows(base, base.model, items, BUDGETS, "test")
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in base.model.model.layers.parameters():
            weight += 0.5 * weight.std() * torch.randn_like(weight)
    perturbed = likelihood.rows(base, base.model, items, BUDGETS, "test")
    found = forgetting(known, perturbed, Bootstrap(resamples=100, confidence=0.95, seed=1))
    for part in ("page", "exercises", "all"):
        assert found[part]["difference"]["low"] > 0, part
        assert found[part]["tuned"] > found[part]["base"] + 0.5, part


def learn(base, items: list[Item]) -> None:
    """Train all weights of a tiny model on general text."""
    encoded = [encode(base.tokenizer, item, base.context) for item in items]
    ids = [torch.tensor(of.context + of.scored) for of in encoded]
    padded, labels = (
        torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=value)
        for value in (0, -100)
    )
    optimizer = torch.optim.Adam(base.model.parameters(), lr=0.01)
    for _ in range(20):
        loss = base.model(input_ids=padded, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
