"""Tree attention: all nodes of a tree of tokens after a prompt in one forward pass.

Each node attends to the prompt and to its ancestors, by a mask of (rows, 1, nodes, columns), and
has the position that its depth gives it, as in speculative decoding (Miao et al. 2023, SpecInfer).
A search that decodes node by node copies the prompt's keys and values for each of them instead.
"""

from collections.abc import Sequence

import torch

from finetune.inference.reading import Reading, takes, whole

Path = tuple[int, ...]


def supports(reading: Reading) -> bool:
    """Whether the model attends as a mask of four dimensions says, in all of its layers.

    Not with sliding windows, nor where a model builds its attention itself, by columns or ALiBi.
    """
    model = whole(reading.model)
    return (
        reading.is_plain
        and takes(model, "position_ids")
        and getattr(model, "_supports_attention_backend", False)
        and model.config._attn_implementation in ("sdpa", "eager")
    )


@torch.inference_mode()
def node_logits(reading: Reading, paths: Sequence[Path]) -> torch.Tensor:
    """The logits (rows, nodes, vocabulary) of the token after each row's prompt and each path.

    `paths` holds every beginning of a path as well, but the empty one. The prompts need room for
    as many columns; what is written there is not kept.
    """
    rows, nodes = len(reading.mask), len(paths)
    device = reading.mask.device
    ids = torch.tensor([[path[-1] for path in paths]], device=device).expand(rows, nodes)
    depths = torch.tensor([len(path) for path in paths], device=device)
    sees_node = torch.tensor([[one[: len(other)] == other for other in paths] for one in paths])
    sees = torch.cat(
        [
            reading.mask.bool()[:, None].expand(-1, nodes, -1),
            sees_node.to(device).expand(rows, -1, -1),
        ],
        dim=-1,
    )[:, None]
    if whole(reading.model).config._attn_implementation == "eager":
        lowest = torch.finfo(reading.model.dtype).min  # eager attention adds the mask
        sees = torch.zeros(sees.shape, dtype=reading.model.dtype, device=device).masked_fill(
            ~sees, lowest
        )
    positions = reading.mask.sum(-1, keepdim=True) + depths - 1
    return reading.part(0, rows).forward(ids, sees, positions, nodes)
