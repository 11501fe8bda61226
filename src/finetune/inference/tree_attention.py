"""Tree attention: all nodes of a tree of tokens after a prompt in one forward pass.

Each node attends to the prompt and to its ancestors, by a mask of (rows, 1, nodes, columns), and
has the position that its depth gives it, as in speculative decoding (Miao et al. 2023, SpecInfer).
A search that decodes node by node copies the prompt's keys and values for each of them instead.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from finetune.inference.kv_cache import CachedBatch, has_full_attention
from finetune.modeling.attention import takes_tree_masks, tree_mask

TokenPath = tuple[int, ...]


def supports(model: PreTrainedModel) -> bool:
    """Whether a tree can be scored in one pass; see `attention.takes_tree_masks`."""
    return has_full_attention(model) and takes_tree_masks(model)


@torch.inference_mode()
def node_logits(batch: CachedBatch, paths: Sequence[TokenPath]) -> torch.Tensor:
    """The logits (rows, nodes, vocabulary) of the token after each row's prompt and each path.

    `paths` are the nodes: each non-empty prefix of a path must be among them. The batch must have
    as many columns reserved as there are nodes; it is not changed.
    """
    rows, nodes = len(batch.mask), len(paths)
    device = batch.mask.device
    ids = torch.tensor([[path[-1] for path in paths]], device=device).expand(rows, nodes)
    depths = torch.tensor([len(path) for path in paths], device=device)
    is_ancestor = torch.tensor([[one[: len(other)] == other for other in paths] for one in paths])
    attends = torch.cat(
        [
            batch.mask.bool()[:, None].expand(-1, nodes, -1),
            is_ancestor.to(device).expand(rows, -1, -1),
        ],
        dim=-1,
    )
    mask = tree_mask(attends, batch.model)
    positions = batch.mask.sum(-1, keepdim=True) + depths - 1
    return batch.slice_rows(0, rows).forward(ids, mask, positions, nodes)
