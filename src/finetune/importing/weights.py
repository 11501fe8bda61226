"""The weights of a Llama from a GGUF file: dequantized, renamed, in 16 bits."""

import re
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from finetune.core.files import write_json
from finetune.importing.config import EMBEDDING, HEAD, ROPE_FREQS
from finetune.importing.reader import Gguf

SHARD = "4GB"  # also approximately the peak memory of the import

# llama.cpp's names of the modules of a layer.
LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")
PARTS = {
    "input_layernorm": "attn_norm",
    "mlp.down_proj": "ffn_down",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.k_proj": "attn_k",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_proj": "attn_q",
    "self_attn.v_proj": "attn_v",
}
OUTSIDE = {
    "model.embed_tokens.weight": EMBEDDING,
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": HEAD,
}


def dtype(gguf: Gguf) -> torch.dtype:
    """The 16-bit type with the smallest error on the file's weights.

    float16 keeps 11 significant bits, bfloat16 only 8; the blocks of a quantized tensor are scaled
    by float16 numbers, so its range suffices (SmolLM2's 4-bit file: a relative error of 0.02 % in
    the norm of the weights, with bfloat16 0.14 %). Weights in bfloat16 are kept.
    """
    types = {tensor.tensor_type for tensor in gguf.tensors.values()}
    return torch.bfloat16 if GGMLQuantizationType.BF16 in types else torch.float16


def write(gguf: Gguf, config: LlamaConfig, folder: Path) -> None:
    """Write the weights into `folder` as safetensors, sharded above `SHARD`.

    Raises:
        ModelError: tensors are missing, unexpected or of another shape, or values overflow.
    """
    with torch.device("meta"):
        model = LlamaForCausalLM(config).to(config.dtype)
    expected = model.state_dict()
    if config.tie_word_embeddings:
        del expected["lm_head.weight"]
    _check(gguf, expected)
    shards = split_torch_state_dict_into_shards(expected, max_shard_size=SHARD)
    for name, members in shards.filename_to_tensors.items():
        tensors = {member: _converted(gguf, config, member) for member in members}
        save_file(tensors, folder / name, metadata={"format": "pt"})
        (folder / name).chmod(0o644)  # the library writes it readable by the owner only
    if shards.is_sharded:
        index = {"metadata": shards.metadata, "weight_map": shards.tensor_to_filename}
        write_json(folder / "model.safetensors.index.json", index)


def source_name(name: str) -> str:
    """llama.cpp's name of a parameter of `LlamaForCausalLM`.

    Raises:
        ValueError: that model has no such parameter.
    """
    if name in OUTSIDE:
        return OUTSIDE[name]
    match = LAYER.fullmatch(name)
    if match is None:
        raise ValueError(f"{name}: not a parameter of LlamaForCausalLM")
    layer, part, kind = match.groups()
    return f"blk.{layer}.{PARTS[part]}.{kind}"


def unpermuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """The rows of q_proj or k_proj, [heads · head_dim, …], in Hugging Face's order.

    RoPE pairs neighbouring rows of a head in llama.cpp, and the two halves of a head in Hugging
    Face. llama.cpp's converter interleaves the halves; this is the inverse.
    """
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def _check(gguf: Gguf, expected: dict[str, torch.Tensor]) -> None:
    shapes = {source_name(name): tuple(tensor.shape) for name, tensor in expected.items()}
    actual = {
        name: tuple(int(size) for size in reversed(tensor.shape))
        for name, tensor in gguf.tensors.items()
        if name != ROPE_FREQS  # converted to the configuration
    }
    for name in sorted(shapes.keys() ^ actual.keys()):
        what = "lacks the tensor" if name in shapes else "holds a tensor that no Llama has:"
        raise gguf.refuse(f"{what} {name}")
    for name, shape in shapes.items():
        if actual[name] != shape:
            raise gguf.refuse(f"{name} is of shape {actual[name]}, must be {shape} by the metadata")


def _converted(gguf: Gguf, config: LlamaConfig, name: str) -> torch.Tensor:
    tensor = gguf.tensors[source_name(name)]
    try:
        values = dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError:
        kind = tensor.tensor_type.name
        raise gguf.refuse(f"{tensor.name} is quantized as {kind}, which is not supported") from None
    if ".q_proj." in name:
        values = unpermuted(values, config.num_attention_heads)
    elif ".k_proj." in name:
        values = unpermuted(values, config.num_key_value_heads)
    converted = torch.from_numpy(np.array(values)).to(config.dtype).contiguous()
    if not torch.isfinite(converted).all():
        raise gguf.refuse(f"{tensor.name} holds values that are not finite in 16 bits")
    return converted
