from collections import Counter

import numpy as np
import pytest

from finetune.core.errors import DataError
from finetune.modeling.prompts import Encoded
from finetune.tasks import summarization
from finetune.training.examples import (
    IGNORED,
    Examples,
    encode,
    learned_rate,
    learned_tokens,
    optimizer_steps,
    order,
)

LENGTHS = np.random.default_rng(0).integers(5, 300, size=103).tolist()


def test_every_epoch_shows_every_example_once():
    drawn = order(LENGTHS, rows=3 * 103, batch_size=8, seed=1)
    assert Counter(drawn) == dict.fromkeys(range(103), 3)


def test_part_of_an_epoch_shows_no_example_twice():
    drawn = order(LENGTHS, rows=50, batch_size=8, seed=1)
    assert len(drawn) == len(set(drawn)) == 50


def test_the_order_is_that_of_the_seed():
    assert order(LENGTHS, 103, 8, seed=1) == order(LENGTHS, 103, 8, seed=1)
    assert order(LENGTHS, 103, 8, seed=1) != order(LENGTHS, 103, 8, seed=2)


def test_examples_of_like_length_share_a_batch_and_batches_come_mixed():
    drawn = [LENGTHS[i] for i in order(LENGTHS, 96, 8, seed=1)]
    batches = [drawn[i : i + 8] for i in range(0, 96, 8)]
    padding = sum(8 * max(batch) - sum(batch) for batch in batches)
    chance = sum(8 * max(LENGTHS[i : i + 8]) - sum(LENGTHS[i : i + 8]) for i in range(0, 96, 8))
    assert padding < chance / 3
    longest = [max(batch) for batch in batches]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


@pytest.mark.parametrize("rows", [7, 130, 131, 259])
def test_only_the_last_batch_is_short(rows):
    drawn = order(LENGTHS, rows, batch_size=8, seed=1)
    assert len(drawn) == rows
    # Cut into eights, as the Trainer does, each batch holds like lengths, across chunks too.
    spreads = [np.ptp([LENGTHS[i] for i in drawn[s : s + 8]]) for s in range(0, rows - 7, 8)]
    assert not spreads or np.median(spreads) < 60


def test_steps_are_the_order_cut_into_batches():
    examples = [{"input_ids": [1] * length, "labels": [1] * length} for length in LENGTHS]
    steps = optimizer_steps(examples, rows=30, batch_size=8, seed=1)
    assert [step.number for step in steps] == [0, 1, 2, 3]
    drawn = [row for step in steps for row in step.rows]
    assert drawn == order(LENGTHS, rows=30, batch_size=8, seed=1)
    assert [len(step.rows) for step in steps] == [8, 8, 8, 6]


def test_a_first_token_is_never_learned():
    one = {"input_ids": [4, 5, 6], "labels": [IGNORED, 5, 6]}
    other = {"input_ids": [4, 5], "labels": [4, 5]}
    assert [learned_tokens(one), learned_tokens(other)] == [2, 1]
    assert learned_rate([one, other]) == pytest.approx(2 / 3)


def test_lengths_are_those_of_prompts_and_of_completions():
    rows = [
        {"input_ids": [1, 2, 3, 4], "labels": [IGNORED, IGNORED, 3, 4]},
        {"input_ids": [1, 2, 3, 4, 5, 6], "labels": [IGNORED] * 5 + [6]},
    ]
    assert Examples(rows, 0, 0).tokens() == {
        "prompt_tokens_mean": 3.5,
        "prompt_tokens_max": 5,
        "completion_tokens_mean": 1.5,
        "completion_tokens_max": 2,
    }


class Encoder:
    """Makes a row's prompt two tokens, and its answer one a word."""

    def encode(self, body: str) -> Encoded:
        return Encoded([1, 2], truncated=False)

    def encode_completion(self, target: str) -> Encoded:
        return Encoded([5] * len(target.split()), truncated=False)


def test_rows_without_a_token_to_learn_are_counted_and_refused_where_they_are_many():
    rows = [{"dialogue": "x", "summary": "a word"}] * 200
    empty = {"dialogue": "x", "summary": ""}
    assert encode(rows, summarization, Encoder()).unlearned == 0
    assert encode([*rows, empty, empty], summarization, Encoder()).unlearned == 2
    with pytest.raises(DataError, match="3 of 203 rows have no token to learn from"):
        encode([*rows, empty, empty, empty], summarization, Encoder())
