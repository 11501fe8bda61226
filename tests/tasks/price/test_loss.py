from types import SimpleNamespace

import numpy as np
import pytest
import torch

from finetune.core.errors import ModelError
from finetune.core.schema import Prompt
from finetune.inference.budgets import Budgets
from finetune.inference.choices import distributions
from finetune.modeling.attention import tree_mask
from finetune.modeling.choice_tree import Tree, choice_tree
from finetune.modeling.head import head_at
from finetune.modeling.prompts import Encoded, PromptEncoder
from finetune.tasks.price.loss import PriceError, TokenError, _digits, loss
from finetune.tasks.price.options import PriceTrain
from finetune.tasks.price.rows import PRICES
from finetune.training.examples import IGNORE_INDEX
from finetune.training.losses import cross_entropy
from finetune.training.micro_batches import collate

PROMPT = Prompt(instruction="Go.", cue="Price is $", max_tokens=64, max_completion_tokens=8)
TEXTS = {"A lamp": 45, "A very long text about a chair of wood": 7, "Tea": 999, "Nothing": 0}
VOCABULARY = 12
VALUES = {2: 0, 3: 1, 4: 2, 5: 3, 6: 4}  # the prices of some tokens
TARGETS = torch.tensor([5, 1, 7, 8, 9])


@pytest.fixture
def logits():
    return torch.randn(5, VOCABULARY, generator=torch.Generator().manual_seed(0))


def options(weight: float, form: str = "auto") -> PriceTrain:
    return PriceTrain.model_construct(number_loss=weight, number_loss_form=form)


def encoder(base) -> PromptEncoder:
    return PromptEncoder(base.tokenizer, PROMPT, base.context)


@pytest.fixture
def words(load, tiny_model):
    """A model with a token for each price."""
    return load(tiny_model)


@pytest.fixture
def digits(load, digits_model):
    """A model that writes prices digit by digit."""
    return load(digits_model)


def test_tokens_with_a_value_add_their_expected_error(logits):
    distribution = logits[0, list(VALUES)].softmax(-1)
    error = sum(p * abs(value - 3) for value, p in enumerate(distribution.tolist()))
    found = TokenError(VALUES, 0.02)(logits, TARGETS)
    assert found.item() == pytest.approx(
        cross_entropy(logits, TARGETS).item() + 0.02 * error, rel=1e-5
    )


def test_parts_add_up_to_the_whole(logits):
    error = TokenError(VALUES, 0.02)
    parts = error(logits[:2], TARGETS[:2]) + error(logits[2:], TARGETS[2:])
    assert parts.item() == pytest.approx(error(logits, TARGETS).item(), rel=1e-6)


def test_a_guess_nearer_to_the_price_costs_less():
    def cost(guess: int) -> float:
        logits = torch.zeros(1, VOCABULARY)
        logits[0, guess] = 9.0
        return TokenError(VALUES, 0.5)(logits, torch.tensor([6])).item()

    assert cost(5) < cost(4) < cost(2)


def test_without_a_weight_it_is_cross_entropy(words, digits):
    for base in (words, digits):
        made = loss(encoder(base), options(0.0))
        assert made.of_targets is cross_entropy
        assert made.paths == ()


def test_where_each_price_is_a_token_no_form_asks_for_more(words):
    for form in ("auto", "prices", "digits"):
        made = loss(encoder(words), options(2.0, form))
        assert made.paths == ()
        assert len(made.of_targets.tokens) == 1000


def test_where_prices_are_split_auto_is_cross_entropy(digits):
    made = loss(encoder(digits), options(2.0))
    assert (made.of_targets, made.paths) == (cross_entropy, ())


def test_digits_are_the_number_token_loss_of_its_authors(digits):
    """Against `ntloss` 0.3.2, NTLoss(tokenizer, reweigh=False), on the same logits: 19.3601."""
    made = loss(encoder(digits), options(1.0, "digits"))
    seeded = torch.Generator().manual_seed(3)
    logits = torch.randn(6, len(digits.tokenizer), generator=seeded)
    targets = torch.tensor(encoder(digits).encode_completion("40917").ids)
    added = made.of_targets(logits, targets) - cross_entropy(logits, targets)
    assert 10 * added.item() == pytest.approx(19.3601, abs=2e-3)


def spelled(write) -> Tree:
    """The tree of 0 to 99, of which each is written as so many token ids."""
    encoder = SimpleNamespace(encode_completion=lambda text: Encoded([*write(text), 0], False))
    return choice_tree(encoder, [str(price) for price in range(100)], "price")


def test_digits_may_follow_a_token_that_begins_every_text():
    tree = spelled(lambda price: [3, *(10 + int(digit) for digit in price)])
    assert _digits(tree) == {10 + digit: digit for digit in range(10)}


def test_digits_that_differ_by_their_place_are_no_digits():
    tree = spelled(lambda price: [20 + int(price[0]), *(10 + int(digit) for digit in price[1:])])
    assert _digits(tree) == {}


def test_digits_of_a_tokenizer_that_has_none_are_refused_in_one_line(digits):
    base = digits
    base.tokenizer.add_tokens(["12"])
    with pytest.raises(ModelError, match=r"number_loss_form: is digits, but .* set it to prices"):
        loss(encoder(base), options(1.0, "digits"))
    assert loss(encoder(base), options(1.0, "prices")).paths


@pytest.fixture
def examples(digits):
    encode = encoder(digits)
    made = []
    for text, price in TEXTS.items():
        prompt, completion = encode.encode(text).ids, encode.encode_completion(str(price)).ids
        made.append(
            {
                "input_ids": [*prompt, *completion],
                "labels": [*[IGNORE_INDEX] * len(prompt), *completion],
            }
        )
    return made


def branch_logits(base, examples, paths):
    """Logits of the targets, and (rows, 1 + paths, vocabulary) of the branches."""
    batch = collate(examples, 0, paths)
    targets, positions = batch.pop("targets"), batch.pop("target_positions")
    batch["attention_mask"] = tree_mask(batch["attention_mask"], base.model)
    with head_at(base.model, positions):
        logits = base.model(**batch, use_cache=False).logits
    return logits[: len(targets)], logits[len(targets) :].unflatten(0, (len(examples), -1)), targets


def test_whole_prices_have_the_probabilities_of_inference(digits, examples):
    encode = encoder(digits)
    tree = choice_tree(encode, [str(price) for price in PRICES], "price")
    made = loss(encode, options(2.0, "prices"))
    assert len(made.paths) == 99
    with torch.no_grad():
        _, after, _ = branch_logits(digits, examples, made.paths)
        found = PriceError(tree, 2.0).distribution(after)
    prompts = [encode.encode(text).ids for text in TEXTS]
    expected = distributions(digits.model, prompts, tree, 0.0, Budgets(10**5, 2**28), 0, "test")
    for of_row, inferred in zip(found, expected, strict=True):
        np.testing.assert_allclose(of_row.numpy(), inferred.probabilities, atol=1e-6)


def test_whole_prices_add_their_expected_error_and_no_other_target_changes(digits, examples):
    made = loss(encoder(digits), options(2.0, "prices"))
    tree = choice_tree(encoder(digits), [str(price) for price in PRICES], "price")
    with torch.no_grad():
        logits, after, _ = branch_logits(digits, examples, made.paths)
        alone, _, _ = branch_logits_without(digits, examples)
        distribution = PriceError(tree, 2.0).distribution(after)
    assert torch.allclose(logits, alone, atol=1e-4)
    true = torch.tensor(list(TEXTS.values()))
    errors = (distribution * (torch.arange(1000) - true[:, None]).abs()).sum(-1)
    completions = [[label for label in e["labels"] if label != IGNORE_INDEX] for e in examples]
    found = made.branches.loss(after, completions)
    assert found.item() == pytest.approx(2 * errors.sum().item() / 100, rel=1e-5)
    assert (errors > 0).all()


def branch_logits_without(base, examples):
    """The same of the batch without branches."""
    batch = collate(examples, 0)
    targets, positions = batch.pop("targets"), batch.pop("target_positions")
    with head_at(base.model, positions):
        return base.model(**batch, use_cache=False).logits, None, targets


def test_a_row_alone_has_the_branches_that_it_has_among_others(digits, examples):
    made = loss(encoder(digits), options(2.0, "prices"))
    with torch.no_grad():
        _, together, _ = branch_logits(digits, examples, made.paths)
        for row, example in enumerate(examples):
            _, alone, _ = branch_logits(digits, [example], made.paths)
            assert torch.allclose(alone[0], together[row], atol=1e-4)


def test_the_expected_error_has_gradients_that_lower_it(digits, examples):
    made = loss(encoder(digits), options(2.0, "prices"))
    completions = [[label for label in e["labels"] if label != IGNORE_INDEX] for e in examples]
    model = digits.model.requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    values = []
    for _ in range(6):
        _, after, _ = branch_logits(digits, examples, made.paths)
        value = made.branches.loss(after, completions)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.9 * values[0]
    assert np.isfinite(values).all()


def test_a_completion_that_is_no_price_adds_nothing(digits, examples):
    made = loss(encoder(digits), options(2.0, "prices"))
    with torch.no_grad():
        _, after, _ = branch_logits(digits, examples, made.paths)
    assert made.branches.loss(after, [[5], [5], [5], [5]]).item() == 0.0
