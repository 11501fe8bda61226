"""Optimizer steps split into micro-batches by a token budget, which depends on the hardware.

Up to rounding, the gradient of a step does not depend on the split: the loss of each micro-batch is
a sum, divided by the target tokens of the whole step, and an adapter's dropout masks are drawn row
by row. Dropout that a base brings itself, as GPT-2 does, is drawn for each micro-batch.
"""

from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedModel

from finetune.modeling import precision
from finetune.modeling.attention import tree_mask
from finetune.modeling.batches import batches, pad_left, position_ids, within_budget
from finetune.modeling.head import head_at
from finetune.training.examples import IGNORE_INDEX, Example, completion, lengths
from finetune.training.losses import Loss, TokenPath

MicroBatch = dict[str, torch.Tensor]


def collate(
    examples: Sequence[Example], pad_id: int, paths: Sequence[TokenPath] = ()
) -> MicroBatch:
    """The tensors of a micro-batch, padded on the left, as inference does.

    `input_ids`, `attention_mask` and `position_ids` are (rows, longest row); `target_positions`
    (2, count) holds row and column of each position that predicts a target, `targets` (count,)
    the ids of the targets. With `paths` a column for each path is appended, and the mask is that of
    `_with_paths`.
    """
    ids, mask = pad_left([example["input_ids"] for example in examples], pad_id)
    # A row's first token is no target: nothing but padding precedes it.
    targets = [[IGNORE_INDEX, *example["labels"][1:]] for example in examples]
    labels, _ = pad_left(targets, IGNORE_INDEX)
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORE_INDEX)
    predicting = (following != IGNORE_INDEX).nonzero().T
    batch = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": position_ids(mask),
        "target_positions": predicting,
        "targets": following[predicting[0], predicting[1]],
    }
    return _with_paths(batch, examples, paths) if paths else batch


def _with_paths(
    batch: MicroBatch, examples: Sequence[Example], paths: Sequence[TokenPath]
) -> MicroBatch:
    """The batch with the last token of each path in a column of its own, behind all others.

    Such a token attends to its row's prompt, to the paths that are prefixes of its own and to
    itself, and has the position that follows from their number. `attention_mask` is then boolean
    (rows, columns, columns): whether the token of a column attends to that of another.
    `target_positions` ends with those of the branches: of each row the prompt's last token, and
    all paths.
    """
    mask = batch["attention_mask"].bool()
    rows, width = mask.shape
    completions = torch.tensor([len(completion(example)) for example in examples])
    ends = width - completions  # the columns of the completions' first tokens
    is_prompt = mask & (torch.arange(width) < ends[:, None])
    starts_with = torch.tensor([[one[: len(other)] == other for other in paths] for one in paths])
    attends = torch.zeros(rows, width + len(paths), width + len(paths), dtype=torch.bool)
    causal = torch.ones(width, width, dtype=torch.bool).tril() & mask[:, None]
    # Padding attends to itself: to attend to nothing is not a number.
    attends[:, :width, :width] = causal | torch.eye(width, dtype=torch.bool)
    attends[:, width:, :width] = is_prompt[:, None]
    attends[:, width:, width:] = starts_with
    depths = torch.tensor([len(path) for path in paths])
    last = torch.tensor([path[-1] for path in paths])
    columns = torch.arange(width, width + len(paths)).expand(rows, -1)
    branches = torch.cat([ends[:, None] - 1, columns], dim=1)
    number = torch.arange(rows)[:, None].expand_as(branches)
    return {
        "input_ids": torch.cat([batch["input_ids"], last.expand(rows, -1)], dim=1),
        "attention_mask": attends,
        "position_ids": torch.cat(
            [batch["position_ids"], is_prompt.sum(1, keepdim=True) + depths - 1], dim=1
        ),
        "target_positions": torch.cat(
            [batch["target_positions"], torch.stack([number.flatten(), branches.flatten()])], dim=1
        ),
        "targets": batch["targets"],
    }


def micro_batches(
    examples: Sequence[Example],
    token_budget: int,
    pad_id: int,
    paths: Sequence[TokenPath] = (),
    share: Sequence[int] | None = None,
) -> Iterator[tuple[list[int], MicroBatch]]:
    """The indices in `examples` and the tensors of each micro-batch, the longest rows first.

    With `share`, of the examples at these indices.

    A micro-batch has at most `token_budget` tokens, rows × longest row with padding and paths, or
    is a single longer row. The split depends on lengths and budget only, so that a resumed run
    repeats it.
    """
    share = range(len(examples)) if share is None else share
    widths = [tokens + len(paths) for tokens in lengths(examples, share)]
    for chosen in batches(widths, within_budget(token_budget)):
        indices = [share[i] for i in chosen]
        yield indices, collate([examples[i] for i in indices], pad_id, paths)


def summed_loss(
    model: PreTrainedModel,
    dtype: torch.dtype,
    loss: Loss,
    batch: MicroBatch,
    examples: Sequence[Example],
) -> torch.Tensor:
    """The loss summed over the target tokens of a micro-batch of these examples, a scalar."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")}
    targets = batch["targets"]
    if loss.paths:
        inputs["attention_mask"] = tree_mask(inputs["attention_mask"], model)
    with precision.autocast(model, dtype), head_at(model, batch["target_positions"]):
        logits = model(**inputs, use_cache=False).logits
    total = loss.of_targets(logits[: len(targets)], targets)
    if loss.branches:
        after = logits[len(targets) :].unflatten(0, (len(examples), -1))
        total = total + loss.branches.loss(after, [completion(each) for each in examples])
    return total
