from collections import Counter

import numpy as np
import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Prompt
from finetune.modeling.prompts import Encoded
from finetune.tasks.price.rows import Row as Product
from finetune.tasks.summarization.rows import Row
from finetune.training.examples import (
    IGNORE_INDEX,
    Examples,
    encode,
    encode_numbers,
    max_target_rate,
    num_target_tokens,
    optimizer_steps,
    sampling_order,
)

LENGTHS = np.random.default_rng(0).integers(5, 300, size=103).tolist()


def test_every_epoch_shows_every_example_once():
    drawn = sampling_order(LENGTHS, rows=3 * 103, batch_size=8, seed=1)
    assert Counter(drawn) == dict.fromkeys(range(103), 3)


def test_part_of_an_epoch_shows_no_example_twice():
    drawn = sampling_order(LENGTHS, rows=50, batch_size=8, seed=1)
    assert len(drawn) == len(set(drawn)) == 50


def test_the_order_is_that_of_the_seed():
    assert sampling_order(LENGTHS, 103, 8, seed=1) == sampling_order(LENGTHS, 103, 8, seed=1)
    assert sampling_order(LENGTHS, 103, 8, seed=1) != sampling_order(LENGTHS, 103, 8, seed=2)


def test_examples_of_like_length_share_a_batch_and_batches_come_mixed():
    drawn = [LENGTHS[i] for i in sampling_order(LENGTHS, 96, 8, seed=1)]
    batches = [drawn[i : i + 8] for i in range(0, 96, 8)]
    padding = sum(8 * max(batch) - sum(batch) for batch in batches)
    chance = sum(8 * max(LENGTHS[i : i + 8]) - sum(LENGTHS[i : i + 8]) for i in range(0, 96, 8))
    assert padding < chance / 3
    longest = [max(batch) for batch in batches]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


@pytest.mark.parametrize("rows", [7, 130, 131, 259])
def test_only_the_last_batch_is_short(rows):
    drawn = sampling_order(LENGTHS, rows, batch_size=8, seed=1)
    assert len(drawn) == rows
    # Split into eights, each batch has similar lengths, also where chunks meet.
    spreads = [np.ptp([LENGTHS[i] for i in drawn[s : s + 8]]) for s in range(0, rows - 7, 8)]
    assert not spreads or np.median(spreads) < 60


def test_steps_are_the_order_split_into_batches():
    examples = [{"input_ids": [1] * length, "labels": [1] * length} for length in LENGTHS]
    steps = optimizer_steps(examples, rows=30, batch_size=8, seed=1)
    assert [step.number for step in steps] == [0, 1, 2, 3]
    drawn = [row for step in steps for row in step.rows]
    assert drawn == sampling_order(LENGTHS, rows=30, batch_size=8, seed=1)
    assert [len(step.rows) for step in steps] == [8, 8, 8, 6]


def test_a_first_token_is_never_learned():
    one = {"input_ids": [4, 5, 6], "labels": [IGNORE_INDEX, 5, 6]}
    other = {"input_ids": [4, 5], "labels": [4, 5]}
    assert [num_target_tokens(one), num_target_tokens(other)] == [2, 1]
    assert max_target_rate([one, other]) == pytest.approx(2 / 3)


def test_lengths_are_those_of_prompts_and_of_completions():
    rows = [
        {"input_ids": [1, 2, 3, 4], "labels": [IGNORE_INDEX, IGNORE_INDEX, 3, 4]},
        {"input_ids": [1, 2, 3, 4, 5, 6], "labels": [IGNORE_INDEX] * 5 + [6]},
    ]
    assert Examples(rows, 0, 0).tokens() == {
        "prompt_tokens_mean": 3.5,
        "prompt_tokens_max": 5,
        "completion_tokens_mean": 1.5,
        "completion_tokens_max": 2,
    }


class Encoder:
    """Makes a row's prompt two tokens, and its answer one a word."""

    prompt = Prompt(instruction="Go.", cue="", max_tokens=16, max_completion_tokens=8)

    def encode(self, body: str) -> Encoded:
        return Encoded([1, 2], truncated=False)

    def encode_completion(self, target: str) -> Encoded:
        return Encoded([5] * len(target.split()), truncated=False)


def test_rows_without_a_token_to_learn_are_counted_and_refused_where_they_are_many():
    rows = [Row(id="x", dialogue="x", summary="a word")] * 200
    empty = Row(id="x", dialogue="x", summary="")
    assert encode(rows, Encoder()).unlearned == 0
    assert encode([*rows, empty, empty], Encoder()).unlearned == 2
    with pytest.raises(DataError, match="3 of 203 rows have no token to learn from"):
        encode([*rows, empty, empty, empty], Encoder())


def test_a_row_is_encoded_as_its_kind_makes_it_for_the_prompt():
    class LastWord(Row):
        def for_prompt(self, prompt: Prompt) -> Row:
            return self.model_copy(update={"summary": self.summary.split()[-1]})

    rows = [LastWord(id="x", dialogue="x", summary="three words here")]
    (example,) = encode(rows, Encoder()).examples
    assert example["input_ids"] == [1, 2, 5]


def test_a_number_is_the_target_of_its_prompts_last_token():
    rows = [Product(id="1", text="a lamp", price=12.349, category=None)]
    (example,) = encode_numbers(rows, Encoder()).examples
    prompt = Encoder().encode("a lamp").ids
    assert example["input_ids"][: len(prompt)] == prompt
    assert example["labels"] == [*[IGNORE_INDEX] * len(prompt), 1235]
    assert num_target_tokens(example) == 1
