import numpy as np
import pytest
import torch

from finetune.modeling.head import head_at
from finetune.training.examples import IGNORE_INDEX
from finetune.training.losses import cross_entropy
from finetune.training.micro_batches import collate, micro_batches

EXAMPLES = [
    {"input_ids": [5, 6, 7, 8, 9, 10], "labels": [*[IGNORE_INDEX] * 4, 9, 10]},
    {"input_ids": [11, 12, 13], "labels": [IGNORE_INDEX, 12, 13]},
    {"input_ids": [14, 15], "labels": [14, 15]},
]


def test_rows_are_padded_on_the_left_and_padding_is_not_learned():
    batch = collate([EXAMPLES[1], {"input_ids": [9], "labels": [9]}], pad_id=9)
    assert batch["input_ids"].tolist() == [[11, 12, 13], [9, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2], [0, 0, 0]]
    assert batch["target_positions"].tolist() == [[0, 0], [0, 1]]
    assert batch["targets"].tolist() == [12, 13]


def test_the_end_token_is_learned_where_it_is_the_padding_token_too():
    rows = [([5, 6, 0], [IGNORE_INDEX, 6, 0]), ([5, 0], [IGNORE_INDEX, 0])]
    ended = [{"input_ids": ids, "labels": labels} for ids, labels in rows]
    assert collate(ended, pad_id=0)["targets"].tolist() == [6, 0, 0]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [(1, [[0], [1], [2]]), (6, [[0], [1, 2]]), (12, [[0, 1], [2]]), (18, [[0, 1, 2]])],
)
def test_a_micro_batch_holds_no_more_tokens_than_its_budget_or_one_row(budget, expected):
    split = list(micro_batches(EXAMPLES, budget, pad_id=0))
    assert [indices for indices, _ in split] == expected
    for indices, batch in split:
        assert batch["input_ids"].numel() <= budget or len(indices) == 1


def test_the_loss_of_a_padded_batch_is_that_of_its_rows_alone_with_all_logits(load, tiny_model):
    model = load(tiny_model).model
    losses = []
    with torch.inference_mode():
        batch = collate(EXAMPLES, pad_id=0)
        targets = batch.pop("targets")
        with head_at(model, batch.pop("target_positions")):
            logits = model(**batch).logits
        assert logits.shape == (5, model.config.vocab_size)
        loss = cross_entropy(logits, targets)
        for example in EXAMPLES:
            logits = model(input_ids=torch.tensor([example["input_ids"]])).logits[0].log_softmax(-1)
            losses += [
                -logits[place - 1, label].item()
                for place, label in enumerate(example["labels"])
                if label != IGNORE_INDEX and place
            ]
    assert loss.item() == pytest.approx(np.sum(losses), rel=1e-4)
