import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from finetune.core.schema import Prompt
from finetune.inference import tree_attention
from finetune.inference.budgets import Budgets
from finetune.inference.choices import distributions
from finetune.inference.continuations import longer_numbers
from finetune.modeling.choice_tree import choice_tree
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.price.rows import PRICES

PROMPT = Prompt(instruction="Go.", cue="Price is $", max_tokens=64, max_completion_tokens=8)
TEXTS = ["A lamp", "A very long text about a chair of wood", "Tea"]
BUDGETS = Budgets(prompt_tokens=100_000, cache_bytes=2**28)


@pytest.fixture(params=["tiny_model", "digits_model"])
def base(request, load):
    return load(request.getfixturevalue(request.param))


def predicted(base, budgets: Budgets = BUDGETS, asked: bool = True):
    encode = PromptEncoder(base.tokenizer, PROMPT, base.context)
    tree = choice_tree(encode, [str(price) for price in PRICES], "price")
    prompts = [encode.encode(text).ids for text in TEXTS]
    longer = longer_numbers(base.tokenizer) if asked else None
    return distributions(base.model, prompts, tree, 0.0, budgets, 0, "test", longer)


def raise_after(base, token: str, until: float) -> None:
    """Make the model more likely to write `token`, whatever it has read."""
    place = base.tokenizer.get_vocab()[token]
    head = torch.nn.Linear(64, len(base.tokenizer))
    with torch.no_grad():
        head.weight.copy_(base.model.lm_head.weight)
        head.bias.zero_()
        head.bias[place] = until
    base.model.lm_head = head


@torch.inference_mode()
def by_whole_sequences(base, text: str, price: int) -> float:
    """The same from forward passes over the whole text, without a cache, a batch or a tree."""
    encode = PromptEncoder(base.tokenizer, PROMPT, base.context)
    vocabulary = base.tokenizer.get_vocab()
    path = encode.encode_completion(str(price)).ids[:-1]
    read = [*encode.encode(text).ids, *path]

    def following(ids: list[int]) -> np.ndarray:
        logits = base.model(input_ids=torch.tensor([ids])).logits[0, -1]
        return logits.double().softmax(-1).numpy()

    more = [place for token, place in vocabulary.items() if token.lstrip(",")[:1].isdecimal()]
    now = following(read)
    longer_choices = [
        encode.encode_completion(f"{price}{digit}").ids[:-1] for digit in range(10) if price < 100
    ]
    for choice in longer_choices:
        if price > 0 and len(choice) == len(path) + 1 and choice[: len(path)] == path:
            now[choice[-1]] = 0.0
    comma = vocabulary[","]
    after_comma = following([*read, comma])[more].sum() if now[comma] > 0.01 else 0.0
    return (now[more].sum() + now[comma] * after_comma) / now.sum()


@pytest.mark.parametrize("comma", [0.0, 8.0])
def test_it_is_what_whole_sequences_give(base, comma):
    raise_after(base, ",", comma)
    for text, found in zip(TEXTS, predicted(base), strict=True):
        expected = by_whole_sequences(base, text, int(found.probabilities.argmax()))
        assert found.continuation == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_nothing_else_changes(base):
    for one, other in zip(predicted(base), predicted(base, asked=False), strict=True):
        assert (one.probabilities == other.probabilities).all()
        assert (one.outside, one.mass) == (other.outside, other.mass)
        assert other.continuation == 0.0


@pytest.mark.parametrize("prompt_tokens", [1, 40])
def test_batches_do_not_change_it(base, prompt_tokens):
    raise_after(base, ",", 6.0)
    expected = [found.continuation for found in predicted(base)]
    found = [each.continuation for each in predicted(base, Budgets(prompt_tokens, 2**28))]
    assert found == pytest.approx(expected, abs=1e-6)


def test_level_by_level_it_is_the_same(base, monkeypatch):
    expected = [found.continuation for found in predicted(base)]
    monkeypatch.setattr(tree_attention, "supports", lambda model: False)
    assert [found.continuation for found in predicted(base)] == pytest.approx(expected, abs=1e-6)


def test_a_model_that_gives_no_numbers_continues_nothing(base):
    with torch.no_grad():
        base.model.lm_head.weight.fill_(float("nan"))
    assert [found.continuation for found in predicted(base)] == [0.0] * 3


def test_what_makes_a_number_longer_goes_by_the_tokens_strings():
    from tokenizers import Tokenizer, models

    words = ["9", "99", "0th", ",000", ",", ", ", ",-", ".", ".5", "Ġ9", "▁9", "USD", "-9"]
    vocabulary = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="USD"))
    found = longer_numbers(PreTrainedTokenizerFast(tokenizer_object=tokenizer))
    assert [words[place] for place in found.more] == ["9", "99", "0th", ",000"]
    assert found.comma == words.index(",")
