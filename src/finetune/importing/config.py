"""The configuration of a Llama from a GGUF file's metadata."""

from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from finetune.importing.reader import Gguf

ARCHITECTURE = "llama"
EMBEDDING, HEAD, ROPE_FREQS = "token_embd.weight", "output.weight", "rope_freqs.weight"

# A file with any other key has a feature that the conversion below would lose.
KNOWN = {
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "vocab_size",
}

# The constants of Llama 3.1 and later: a GGUF file holds only the factors computed from them.
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def config(gguf: Gguf, dtype: torch.dtype) -> LlamaConfig:
    """The configuration of the model in the file, for weights of type `dtype`.

    Raises:
        ModelError: another architecture, or a Llama that `LlamaForCausalLM` cannot express.
    """
    _refuse_unknown(gguf)
    hidden, heads = _count(gguf, "embedding_length"), _count(gguf, "attention.head_count")
    head_dim = _count(gguf, "attention.key_length", hidden // heads)
    for key in ("rope.dimension_count", "attention.value_length"):
        if _count(gguf, key, head_dim) != head_dim:
            raise gguf.refuse(f"{ARCHITECTURE}.{key} differs from the size of a head, {head_dim}")
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        dtype=dtype,
        vocab_size=len(gguf["tokenizer.ggml.tokens"]),
        hidden_size=hidden,
        intermediate_size=_count(gguf, "feed_forward_length"),
        num_hidden_layers=_count(gguf, "block_count"),
        num_attention_heads=heads,
        num_key_value_heads=_count(gguf, "attention.head_count_kv", heads),
        head_dim=head_dim,
        max_position_embeddings=_count(gguf, "context_length"),
        rms_norm_eps=_decimal(gguf[f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon"]),
        rope_parameters=_rope(gguf, head_dim),
        attention_bias="blk.0.attn_q.bias" in gguf.tensors,
        mlp_bias="blk.0.ffn_up.bias" in gguf.tensors,
        tie_word_embeddings=HEAD not in gguf.tensors,
        bos_token_id=gguf.metadata.get("tokenizer.ggml.bos_token_id"),
        eos_token_id=gguf["tokenizer.ggml.eos_token_id"],
        pad_token_id=gguf.metadata.get("tokenizer.ggml.padding_token_id"),
    )


def _refuse_unknown(gguf: Gguf) -> None:
    architecture = gguf["general.architecture"]
    if architecture != ARCHITECTURE:
        raise gguf.refuse(
            f"its architecture is {architecture}; only {ARCHITECTURE} can be imported"
        )
    prefix = f"{ARCHITECTURE}."
    for key, value in gguf.metadata.items():
        if key.startswith(prefix) and value and key.removeprefix(prefix) not in KNOWN:
            raise gguf.refuse(f"{key} is {value!r:.40}, which the import cannot convert")


def _count(gguf: Gguf, key: str, default: int | None = None) -> int:
    name = f"{ARCHITECTURE}.{key}"
    value = gguf[name] if default is None else gguf.metadata.get(name, default)
    if not isinstance(value, int) or value < 1:
        raise gguf.refuse(f"{name} is {value!r:.40}, must be one number above 0 for all layers")
    return value


def _decimal(value: float) -> float:
    """The shortest decimal that rounds to this float32: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def _rope(gguf: Gguf, head_dim: int) -> dict[str, Any]:
    scaling = gguf.metadata.get(f"{ARCHITECTURE}.rope.scaling.type", "none")
    rope = {"rope_theta": _decimal(gguf.metadata.get(f"{ARCHITECTURE}.rope.freq_base", 10_000.0))}
    if ROPE_FREQS in gguf.tensors:
        return rope | _llama3(gguf, rope["rope_theta"], head_dim)
    if scaling == "none":
        return rope | {"rope_type": "default"}
    if scaling == "linear":
        factor = _decimal(gguf[f"{ARCHITECTURE}.rope.scaling.factor"])
        return rope | {"rope_type": "linear", "factor": factor}
    raise gguf.refuse(f"its positions are scaled by {scaling!r}; only linear and llama3 are known")


def _llama3(gguf: Gguf, theta: float, head_dim: int) -> dict[str, Any]:
    """Llama 3's RoPE scaling, if it gives the frequency factors in the file, [head_dim / 2].

    Raises:
        ModelError: the factors belong to another scaling.
    """
    factors = np.asarray(gguf.tensors[ROPE_FREQS].data, dtype=np.float64)
    rope = LLAMA3_ROPE | {"factor": _decimal(factors.max())}
    shape = LlamaConfig(head_dim=head_dim, rope_parameters={"rope_theta": theta, **rope})
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](shape, torch.device("cpu"))
    plain = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    if factors.shape != plain.shape or not np.allclose(plain / scaled.numpy(), factors, rtol=1e-3):
        raise gguf.refuse(f"{ROPE_FREQS} holds factors that are not those of Llama 3's scaling")
    return rope
