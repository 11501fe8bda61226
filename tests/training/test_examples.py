from collections import Counter

import numpy as np
import pytest
import torch

from finetune.training.examples import IGNORED, Collator, Examples, order
from finetune.training.losses import CompletionLoss

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


def test_batches_are_padded_on_the_left_and_padding_is_not_learned():
    batch = Collator(pad_id=9)(
        [
            {"input_ids": [1, 2, 3], "labels": [IGNORED, 2, 3]},
            {"input_ids": [9], "labels": [9]},  # the end token may be the padding token
        ]
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3], [9, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2], [0, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3], [IGNORED, IGNORED, 9]]


@pytest.mark.parametrize(
    ("labels", "kept"), [([[5], [6]], 2), ([[5, 6, 7], [8]], 4), ([[], []], 1)]
)
def test_logits_are_asked_for_the_completions_and_the_position_before_them(labels, kept):
    examples = [
        {"input_ids": list(range(9 + len(own))), "labels": [IGNORED] * 9 + own} for own in labels
    ]
    batch = Collator(pad_id=0)(examples)
    assert batch["logits_to_keep"] == kept
    assert batch["labels"].shape == (2, kept)
    learned = batch["labels"][batch["labels"] != IGNORED]
    assert learned.tolist() == [label for own in labels for label in own]


def test_the_loss_of_a_padded_batch_is_that_of_its_rows_alone_with_all_logits(load, tiny_model):
    model = load(tiny_model).model
    examples = [
        {"input_ids": [5, 6, 7, 8, 9, 10], "labels": [*[IGNORED] * 4, 9, 10]},
        {"input_ids": [11, 12, 13], "labels": [IGNORED, 12, 13]},
        {"input_ids": [14, 15], "labels": [IGNORED, 15]},
    ]
    losses = []
    with torch.inference_mode():
        batch = Collator(pad_id=0)(examples)
        labels = batch.pop("labels")
        found = CompletionLoss(None, 0.0)(model(**batch), labels)
        for example in examples:
            logits = model(input_ids=torch.tensor([example["input_ids"]])).logits[0].log_softmax(-1)
            losses += [
                -logits[place - 1, label].item()
                for place, label in enumerate(example["labels"])
                if label != IGNORED
            ]
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-4)


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
