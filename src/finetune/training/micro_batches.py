"""Optimizer steps cut into micro-batches by a token budget: the hardware's matter, not the run's.

What is learned in a step does not depend on the cut, up to rounding: the loss of each micro-batch
is a sum, divided by the tokens of the whole step, and dropout is drawn for each row by itself.
"""

from collections.abc import Iterator, Sequence

import torch

from finetune.inference.batches import batches, pad_left, positions, within
from finetune.training.examples import IGNORED, Example

MicroBatch = dict[str, torch.Tensor]


def collate(examples: Sequence[Example], pad_id: int) -> MicroBatch:
    """The tensors of a micro-batch, padded on the left, as inference does.

    `input_ids`, `attention_mask` and `position_ids` are (rows, longest row); `learned` (2, count)
    holds rows and columns of the positions whose next token is learned, `targets` (count,) those.
    """
    ids, mask = pad_left([example["input_ids"] for example in examples], pad_id)
    # A row's first token follows nothing, in the padding before it least of all.
    labels, _ = pad_left([[IGNORED, *example["labels"][1:]] for example in examples], IGNORED)
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    learned = (following != IGNORED).nonzero().T
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions(mask),
        "learned": learned,
        "targets": following[learned[0], learned[1]],
    }


def micro_batches(
    examples: Sequence[Example], token_budget: int, pad_id: int
) -> Iterator[tuple[list[int], MicroBatch]]:
    """The places in `examples` and the tensors of each micro-batch, the longest rows first.

    A micro-batch takes rows × longest row tokens, padding included: at most the budget, or a single
    row that is longer by itself. The cut depends on lengths and budget alone, so that a resumed run
    cuts as the killed one did.
    """
    lengths = [len(example["input_ids"]) for example in examples]
    for places in batches(lengths, within(token_budget)):
        yield places, collate([examples[place] for place in places], pad_id)
