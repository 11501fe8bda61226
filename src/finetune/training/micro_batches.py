"""Optimizer steps split into micro-batches by a token budget, which depends on the hardware.

Up to rounding, the gradient of a step does not depend on the split: the loss of each micro-batch is
a sum, divided by the target tokens of the whole step, and dropout masks are drawn row by row.
"""

from collections.abc import Iterator, Sequence

import torch

from finetune.modeling.batches import batches, pad_left, position_ids, within_budget
from finetune.training.examples import IGNORE_INDEX, Example

MicroBatch = dict[str, torch.Tensor]


def collate(examples: Sequence[Example], pad_id: int) -> MicroBatch:
    """The tensors of a micro-batch, padded on the left, as inference does.

    `input_ids`, `attention_mask` and `position_ids` are (rows, longest row); `target_positions`
    (2, count) holds row and column of each position that predicts a target, `targets` (count,)
    the ids of the targets.
    """
    ids, mask = pad_left([example["input_ids"] for example in examples], pad_id)
    # A row's first token is no target: nothing but padding precedes it.
    targets = [[IGNORE_INDEX, *example["labels"][1:]] for example in examples]
    labels, _ = pad_left(targets, IGNORE_INDEX)
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORE_INDEX)
    predicting = (following != IGNORE_INDEX).nonzero().T
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": position_ids(mask),
        "target_positions": predicting,
        "targets": following[predicting[0], predicting[1]],
    }


def micro_batches(
    examples: Sequence[Example], token_budget: int, pad_id: int
) -> Iterator[tuple[list[int], MicroBatch]]:
    """The indices in `examples` and the tensors of each micro-batch, the longest rows first.

    A micro-batch has at most `token_budget` tokens, rows × longest row with padding, or is a single
    longer row. The split depends on lengths and budget only, so that a resumed run repeats it.
    """
    lengths = [len(example["input_ids"]) for example in examples]
    for indices in batches(lengths, within_budget(token_budget)):
        yield indices, collate([examples[i] for i in indices], pad_id)
