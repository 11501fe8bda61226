import hashlib
from collections import Counter

import numpy as np
import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Prompt
from finetune.modeling import truncation
from finetune.modeling.prompts import Encoded
from finetune.tasks.price.rows import Row as Product
from finetune.tasks.summarization.rows import Row
from finetune.training.examples import (
    IGNORE_INDEX,
    Schedule,
    encode,
    encode_numbers,
    lengths,
    max_target_rate,
    num_target_tokens,
    num_targets,
)

LENGTHS = np.random.default_rng(0).integers(5, 300, size=103).tolist()
EXAMPLES = [{"input_ids": [1] * length, "labels": [1] * length} for length in LENGTHS]


def sampling_order(rows: int, batch_size: int, seed: int) -> list[int]:
    return [row for step in Schedule(EXAMPLES, rows, batch_size, seed) for row in step.rows]


def test_every_epoch_shows_every_example_once():
    drawn = sampling_order(rows=3 * 103, batch_size=8, seed=1)
    assert Counter(drawn) == dict.fromkeys(range(103), 3)


def test_part_of_an_epoch_shows_no_example_twice():
    drawn = sampling_order(rows=50, batch_size=8, seed=1)
    assert len(drawn) == len(set(drawn)) == 50


def test_the_order_is_that_of_the_seed():
    assert sampling_order(103, 8, seed=1) == sampling_order(103, 8, seed=1)
    assert sampling_order(103, 8, seed=1) != sampling_order(103, 8, seed=2)


def test_examples_of_like_length_share_a_batch_and_batches_come_mixed():
    drawn = [LENGTHS[i] for i in sampling_order(96, 8, seed=1)]
    batches = [drawn[i : i + 8] for i in range(0, 96, 8)]
    padding = sum(8 * max(batch) - sum(batch) for batch in batches)
    chance = sum(8 * max(LENGTHS[i : i + 8]) - sum(LENGTHS[i : i + 8]) for i in range(0, 96, 8))
    assert padding < chance / 3
    longest = [max(batch) for batch in batches]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


@pytest.mark.parametrize("rows", [7, 130, 131, 259])
def test_only_the_last_batch_is_short(rows):
    drawn = sampling_order(rows, batch_size=8, seed=1)
    assert len(drawn) == rows
    # Split into eights, each batch has similar lengths, also where chunks meet.
    spreads = [np.ptp([LENGTHS[i] for i in drawn[s : s + 8]]) for s in range(0, rows - 7, 8)]
    assert not spreads or np.median(spreads) < 60


def test_steps_are_the_order_split_into_batches():
    steps = Schedule(EXAMPLES, rows=30, batch_size=8, seed=1)
    assert [step.number for step in steps] == [0, 1, 2, 3]
    assert [len(step.rows) for step in steps] == [8, 8, 8, 6]


def test_the_order_of_rows_is_what_it_was():
    # Of adapters that were trained before: 300 rows of 103 examples, 5 a step.
    order = sampling_order(300, 5, seed=1)
    assert hashlib.sha256(repr(order).encode()).hexdigest()[:16] == "bf71302668a97951"


@pytest.mark.parametrize(("rows", "batch_size"), [(300, 5), (412, 16), (500, 64)])
def test_a_step_has_an_example_once_unless_it_spans_epochs(rows, batch_size):
    steps = Schedule(EXAMPLES, rows, batch_size, seed=1)
    repeating = [step for step in steps if len(set(step.rows)) < len(step.rows)]
    assert len(repeating) <= (rows - 1) // len(EXAMPLES)


def test_steps_may_be_asked_for_in_any_order():
    steps = Schedule(EXAMPLES, rows=300, batch_size=5, seed=1)
    backwards = [steps[i] for i in reversed(range(len(steps)))]
    assert backwards[::-1] == list(Schedule(EXAMPLES, rows=300, batch_size=5, seed=1))
    assert list(steps.until(7)) == steps[:7]
    assert len(steps) == 60


def test_a_first_token_is_never_learned():
    one = {"input_ids": [4, 5, 6], "labels": [IGNORE_INDEX, 5, 6]}
    other = {"input_ids": [4, 5], "labels": [4, 5]}
    assert [num_target_tokens(one), num_target_tokens(other)] == [2, 1]
    assert max_target_rate([one, other]) == pytest.approx(2 / 3)


class Encoder:
    """Makes a row's prompt two tokens, and its answer one a word."""

    prompt = Prompt(instruction="Go.", cue="", max_tokens=16, max_completion_tokens=8)
    max_prompt_tokens, context = 16, 64

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
    (example,) = encode(rows, Encoder())
    assert example["input_ids"] == [1, 2, 5]


def test_a_number_is_the_target_of_its_prompts_last_token():
    rows = [Product(id="1", text="a lamp", price=12.349, category=None)]
    (example,) = encode_numbers(rows, Encoder())
    prompt = Encoder().encode("a lamp").ids
    assert example["input_ids"][: len(prompt)] == prompt
    assert example["labels"] == [*[IGNORE_INDEX] * len(prompt), 1235]
    assert num_target_tokens(example) == 1


class Counting:
    """Rows of so many words each, of which it is noted which were read."""

    def __init__(self, words):
        self.words, self.read = words, []

    def __len__(self):
        return len(self.words)

    def __getitem__(self, number):
        self.read.append(number)
        return Row(id=str(number), dialogue="x", summary=" ".join(["a"] * self.words[number]))


WORDS = [1 + n % 7 for n in range(200)]


def test_few_rows_are_all_encoded_and_counted_once():
    rows = Counting([1, 3])
    examples = encode(rows, Encoder())
    assert [len(example["input_ids"]) for example in examples] == lengths(examples) == [3, 5]
    assert rows.read == [0, 1]
    assert (examples.is_whole, examples.longest, num_targets(examples)) == (True, 5, 4)
    assert examples.tokens() == {
        "prompt_tokens_mean": 2.0,
        "prompt_tokens_max": 2,
        "completion_tokens_mean": 2.0,
        "completion_tokens_max": 3,
    }


@pytest.fixture
def limited(monkeypatch):
    """More than 50 rows are many; a sample has 10."""
    monkeypatch.setattr(truncation, "ALL_ROWS", 50)
    monkeypatch.setattr(truncation, "SAMPLE", 10)


def test_of_many_rows_a_sample_is_encoded_and_then_those_that_steps_ask_for(limited):
    rows = Counting(WORDS)
    examples = encode(rows, Encoder())
    assert not examples.is_whole
    assert examples.longest == 16 + 8
    assert sorted(set(rows.read)) == rows.read == list(truncation.sample(200))
    assert [len(each["input_ids"]) - 2 for each in examples.probe] == [WORDS[n] for n in rows.read]
    sampled = set(rows.read)
    (first, *_) = Schedule(examples, rows=4, batch_size=4, seed=1)
    assert set(rows.read) == sampled | set(first.rows)
    assert examples.truncated.rows == examples.num_encoded == len(set(rows.read))


def test_many_rows_are_trained_on_in_the_order_that_few_would_be(limited, monkeypatch):
    lazy = list(Schedule(encode(Counting(WORDS), Encoder()), 500, 4, seed=1))
    monkeypatch.undo()
    assert lazy == list(Schedule(encode(Counting(WORDS), Encoder()), 500, 4, seed=1))


def test_no_more_examples_are_kept_than_that_and_others_are_encoded_again(limited):
    rows = Counting(WORDS)
    examples = encode(rows, Encoder())
    assert lengths(examples) == [2 + words for words in WORDS]
    assert len(examples._kept) == 50
    rows.read.clear()
    assert lengths(examples) == [2 + words for words in WORDS]
    assert num_targets(examples) == sum(WORDS)
    assert rows.read == []  # lengths are known
    assert len(examples[0]["input_ids"]) == 3
    assert rows.read == [0]
