import dataclasses
import functools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import LlamaConfig

from finetune.core.errors import ModelError
from finetune.core.schema import Prompt
from finetune.inference import tree_attention
from finetune.inference.budgets import Budgets
from finetune.inference.choices import distributions
from finetune.modeling.choice_tree import Tree, choice_tree
from finetune.modeling.prompts import PromptEncoder
from finetune.tasks.price.rows import PRICES

PROMPT = Prompt(instruction="Go.", cue="Price is $", max_tokens=64, max_completion_tokens=8)
TEXTS = ["A lamp", "A very long text about a chair of wood", "Tea"]


@pytest.fixture(params=["tiny_model", "digits_model"])
def base(request, load):
    return load(request.getfixturevalue(request.param))


@pytest.fixture
def digits(load, digits_model):
    return load(digits_model)


def encoder(base, prompt: Prompt = PROMPT) -> PromptEncoder:
    return PromptEncoder(base.tokenizer, prompt, base.context)


BUDGETS = Budgets(prompt_tokens=100_000, cache_bytes=2**28)


def price_tree(encode: PromptEncoder) -> Tree:
    return choice_tree(encode, [str(price) for price in PRICES], "price")


def search(base, texts=TEXTS, prune_below: float = 0.0, budgets: Budgets = BUDGETS):
    encode = encoder(base)
    prompts = [encode.encode(text).ids for text in texts]
    tree = price_tree(encode)
    return distributions(base.model, prompts, tree, prune_below, budgets, 0, "test")


@torch.inference_mode()
def brute_force(base, text: str) -> np.ndarray:
    """The mass of each price from its whole sequence of tokens, without a cache or a tree."""
    encode = encoder(base)
    prompt = encode.encode(text).ids
    paths = [tuple(encode.encode_completion(str(price)).ids[:-1]) for price in PRICES]
    likely = {}
    for length in {len(path) for path in paths}:
        same = [path for path in paths if len(path) == length]
        logits = base.model(input_ids=torch.tensor([[*prompt, *path] for path in same])).logits
        steps = logits[:, -length - 1 : -1].double().log_softmax(-1)
        chosen = steps.gather(-1, torch.tensor(same)[..., None])[..., 0]
        likely |= dict(zip(same, chosen.sum(-1).exp().tolist(), strict=True))
    followed = {path: likely[path] for path in paths}
    for path in paths:
        shorter = [
            other for other in paths if len(other) < len(path) and path[: len(other)] == other
        ]
        if shorter:  # the next shorter price, whose mass a longer one takes
            followed[max(shorter, key=len)] -= likely[path]
    return np.array([followed[path] for path in paths])


def price_tokens(base) -> list[int]:
    """The token of each price, where each is one."""
    return [path[0] for path, _ in price_tree(encoder(base)).endings]


def test_each_price_has_a_token_of_its_own(load, tiny_model, digits_model):
    base = load(tiny_model)
    assert set(price_tree(encoder(base)).lengths) == {1}
    tokens = price_tokens(base)
    assert len(set(tokens)) == 1000
    assert base.tokenizer.decode([tokens[789]]) == "789"
    assert price_tree(encoder(load(digits_model))).lengths[789] == 3


def test_where_a_price_is_one_token_it_is_the_token_after_the_prompt(load, tiny_model):
    base = load(tiny_model)
    tokens = price_tokens(base)
    for text, found in zip(TEXTS, search(base), strict=True):
        ids = encoder(base).encode(text).ids
        with torch.inference_mode():
            logits = base.model(input_ids=torch.tensor([ids])).logits[0, -1]
        masses = logits.double().softmax(-1)[tokens].numpy()
        np.testing.assert_allclose(found.probabilities, masses / masses.sum(), rtol=1e-4, atol=1e-9)
        assert found.outside == pytest.approx(1 - masses.sum(), abs=1e-5)


def test_the_search_finds_what_all_sequences_one_by_one_have(base):
    for text, found in zip(TEXTS, search(base), strict=True):
        masses = brute_force(base, text)
        inside = 1 - found.outside
        np.testing.assert_allclose(found.probabilities * inside, masses, rtol=1e-3, atol=1e-8)
        np.testing.assert_allclose(found.probabilities, masses / masses.sum(), rtol=0, atol=1e-5)


class Toy(torch.nn.Module):
    """Writes prices with known probabilities, in whatever tokens; else it says `elsewhere`.

    Its keys are the tokens that it has read, so that it knows them from the cache alone.
    """

    def __init__(self, masses: dict[tuple[int, ...], float], vocabulary: int, elsewhere: int):
        super().__init__()
        self.masses, self.vocabulary, self.elsewhere = masses, vocabulary, elsewhere
        self.config = LlamaConfig(num_hidden_layers=1, vocab_size=vocabulary)
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def get_decoder(self):
        return self

    def forward(
        self, input_ids, attention_mask, position_ids, past_key_values, use_cache, logits_to_keep
    ):
        states = input_ids.float()[:, None, :, None]
        read, _ = past_key_values.update(states, states, 0)
        rows = read[:, 0, :, 0].long().tolist()
        written = [tuple(row[len(row) - row[::-1].index(CUE) :]) for row in rows]
        logits = torch.stack([self.after(path) for path in written])[:, None].log()
        return SimpleNamespace(logits=logits)

    def after(self, path: tuple[int, ...]) -> torch.Tensor:
        chances = torch.zeros(self.vocabulary, dtype=torch.double)
        for price, mass in self.masses.items():
            if price[: len(path)] == path:
                chances[price[len(path)] if len(price) > len(path) else self.elsewhere] += mass
        if not path:
            chances[self.elsewhere] += 1 - chances.sum()
        return (chances / chances.sum()).float()


CUE = 3  # what a toy's prompt ends with


def test_prices_of_one_token_and_of_digits_come_to_the_same(load, tiny_model, digits_model):
    rng = np.random.default_rng(7)
    chances = 0.9 * rng.dirichlet(np.full(len(PRICES), 0.1))
    found = []
    for folder in (tiny_model, digits_model):
        encode = encoder(load(folder))
        paths = [tuple(encode.encode_completion(str(price)).ids[:-1]) for price in PRICES]
        toy = Toy(dict(zip(paths, chances, strict=True)), len(encode.tokenizer), elsewhere=0)
        assert CUE not in {token for path in paths for token in path}
        found.append(
            distributions(toy, [[9, CUE], [8, 9, CUE]], price_tree(encode), 0.0, BUDGETS, 0, "test")
        )
    for one, digits in zip(*found, strict=True):
        np.testing.assert_allclose(one.probabilities, chances / 0.9, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(digits.probabilities, one.probabilities, rtol=0, atol=1e-6)
        assert (one.outside, digits.outside) == pytest.approx((0.1, 0.1), abs=1e-5)


@pytest.mark.parametrize("floor", [0.0, 1e-3])
def test_a_distribution_and_what_is_outside_it_are_all_there_is(base, floor):
    for found in search(base, prune_below=floor):
        assert found.probabilities.sum() == pytest.approx(1)
        assert found.probabilities.min() >= 0
        assert 0 <= found.outside < 1


@pytest.mark.parametrize("floor", [1e-5, 1e-4])
def test_what_is_below_the_floor_is_outside(digits, floor):
    # Prices of 3 digits begin with two that few beginnings are likely enough to lead to.
    (cut,) = search(digits, TEXTS[:1], floor)
    masses, found = brute_force(digits, TEXTS[0]), cut.probabilities * (1 - cut.outside)
    kept = found > 0
    assert 0 < kept.sum() < 1000
    np.testing.assert_allclose(found[kept], masses[kept], rtol=1e-3, atol=1e-8)
    assert (masses[~kept] < floor).all()
    assert cut.outside == pytest.approx(1 - masses[kept].sum(), abs=1e-6)


@pytest.mark.parametrize("prompt_tokens", [1, 40, 300])
def test_neither_batches_nor_neighbours_change_it(base, prompt_tokens):
    expected = search(base, prune_below=1e-3)
    batched = search(base, prune_below=1e-3, budgets=Budgets(prompt_tokens, 2**28))
    for one, other in zip(expected, batched, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    (alone,) = search(base, TEXTS[1:2], prune_below=1e-3)
    np.testing.assert_allclose(expected[1].probabilities, alone.probabilities, atol=1e-6)


@pytest.fixture
def passes(digits, monkeypatch) -> list[tuple[int, int]]:
    """The (rows, columns) of each forward pass of the digits model."""
    shapes = []
    forward = digits.model.forward

    @functools.wraps(forward)
    def counted(*args, **kwargs):
        shapes.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    monkeypatch.setattr(digits.model, "forward", counted)
    return shapes


# Beginnings of prices that more digits can follow: 1 to 9, and 10 to 99.
NODES = 99


def test_all_nodes_of_all_rows_are_read_in_one_pass(digits, passes):
    search(digits)
    opening, prompts, nodes = passes
    assert (opening[0], prompts[0], nodes) == (1, 3, (3, NODES))


def test_a_pass_over_nodes_holds_what_the_budget_allows(digits, passes):
    search(digits, budgets=Budgets(2 * NODES, 2**28))
    assert passes[-2:] == [(2, NODES), (1, NODES)]


@pytest.mark.parametrize("floor", [0.0, 1e-6, 1e-4, 1e-2])
def test_one_pass_finds_what_the_search_level_by_level_finds(digits, monkeypatch, floor):
    found = search(digits, prune_below=floor)
    monkeypatch.setattr(tree_attention, "supports", lambda model: False)
    for one, other in zip(found, search(digits, prune_below=floor), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-3, atol=1e-6)
        assert one.outside == pytest.approx(other.outside, abs=1e-6)


def test_level_by_level_no_more_pairs_are_read_at_once_than_the_cache_holds(
    digits, passes, monkeypatch
):
    monkeypatch.setattr(tree_attention, "supports", lambda model: False)
    search(digits, budgets=Budgets(100_000, cache_bytes=2**20))
    bytes_a_column = 2 * 2 * 64 * 4  # keys and values, layers, hidden size, float32
    assert 3 < max(rows for rows, _ in passes) < 2**20 / (2 * 20 * bytes_a_column)


def test_a_model_that_gives_no_numbers_makes_no_prediction(base):
    with torch.no_grad():
        base.model.lm_head.weight.fill_(float("nan"))
    assert [dataclasses.astuple(found) for found in search(base)] == [(None, 1.0, 0.0, 0.0)] * 3


def test_the_tree_holds_prices_as_training_teaches_them(digits):
    tree = price_tree(encoder(digits))
    assert len(tree.alphabet) == 10
    one = next(node for node in tree.root.children if node.choice == 1)
    twelve = next(node for node in one.children if node.choice == 12)
    assert one.path == tuple(encoder(digits).encode_completion("1").ids[:-1])
    assert twelve.leaf_choices.tolist() == list(range(120, 130))
    zero = dict(zip(tree.root.leaf_choices.tolist(), tree.root.leaves.tolist(), strict=True))
    assert set(zero) == {0}  # nothing goes on after 0


def test_a_completion_too_short_for_a_price_is_a_mistake_of_the_parameters(digits):
    short = PROMPT.model_copy(update={"max_completion_tokens": 3})
    with pytest.raises(ModelError, match="max_completion_tokens: is 3, too few for the price 100"):
        price_tree(encoder(digits, short))


def test_a_tokenizer_without_digits_is_told(load, tiny_model):
    base = load(tiny_model)

    class Dumb:
        eos_token_id = 1
        chat_template = None
        is_fast = True

        def __call__(self, text, **options):
            return {"input_ids": [7]}

    with pytest.raises(ModelError, match="cannot write the price 1"):
        price_tree(PromptEncoder(Dumb(), PROMPT, base.context))


def test_tokenizers_that_open_a_text_with_a_piece_of_its_own(load, digits_model):
    """Llama 2's way: ▁ before the first word, also where an answer is a text of its own."""
    base = load(digits_model)

    class Opened:
        def __init__(self, tokenizer):
            self.tokenizer = tokenizer

        def __getattr__(self, name):
            return getattr(self.tokenizer, name)

        def __call__(self, text, **options):
            found = self.tokenizer(text, **options)
            found["input_ids"] = [*found["input_ids"][:0], 99, *found["input_ids"]]
            return found

    base = dataclasses.replace(base, tokenizer=Opened(base.tokenizer))
    tree = price_tree(encoder(base))
    (first,) = tree.root.children
    assert (first.path, first.choice) == ((99,), None)
    for text, found in zip(TEXTS, search(base), strict=True):
        masses = brute_force(base, text)
        np.testing.assert_allclose(found.probabilities, masses / masses.sum(), rtol=0, atol=1e-5)
