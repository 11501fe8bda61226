"""Tiny GGUF files, written by the format's own package from a random Hugging Face Llama."""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from tokenizers import pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOOL = "<tool>"
MERGES = ["i s", "Ġ is", "Ġ Ġ", "1 2", "12 3", "Ġ 1", "Ġ $"]
TOKENS = [
    *SPECIAL,
    TOOL,
    *sorted(pre_tokenizers.ByteLevel.alphabet()),
    *("".join(merge.split()) for merge in MERGES),
    "whole",  # no merges lead to it
]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADS, KV_HEADS, HEAD_DIM = 6, 2, 16
LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
}


def llama(tied: bool = True, **options) -> LlamaForCausalLM:
    """A random Llama with grouped queries, whose weights float16 holds exactly."""
    torch.manual_seed(0)
    settings = {
        "vocab_size": len(TOKENS),
        "hidden_size": HEADS * HEAD_DIM,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
        "tie_word_embeddings": tied,
        "initializer_range": 0.2,
    }
    model = LlamaForCausalLM(LlamaConfig(**settings | options))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # norms and biases: not all alike
                parameter.add_(0.2 * torch.randn_like(parameter))
            parameter.copy_(parameter.half())
    return model.eval()


def logits(model: LlamaForCausalLM) -> torch.Tensor:
    """Of a long enough text that positions matter, [1, 200, vocabulary]."""
    ids = torch.arange(200)[None] * 7 % len(TOKENS)
    with torch.no_grad():
        return model(input_ids=ids).logits


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """What llama.cpp's converter does to q and k (its `LlamaModel.permute`)."""
    shape = (heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return rows.reshape(shape).swapaxes(1, 2).reshape(rows.shape)


def tensors(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """The model's weights as llama.cpp names and orders them."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    named = {
        "token_embd.weight": state["model.embed_tokens.weight"],
        "output_norm.weight": state["model.norm.weight"],
    }
    if not model.config.tie_word_embeddings:
        named["output.weight"] = state["lm_head.weight"]
    for layer in range(model.config.num_hidden_layers):
        for ours, theirs in LAYER.items():
            for kind in ("weight", "bias"):
                values = state.get(f"model.layers.{layer}.{theirs}.{kind}")
                if values is None:
                    continue
                if ours in ("attn_q", "attn_k"):
                    values = permuted(values, HEADS if ours == "attn_q" else KV_HEADS)
                named[f"blk.{layer}.{ours}.{kind}"] = values
    return named


def metadata(writer: GGUFWriter, model: LlamaForCausalLM) -> None:
    """What llama.cpp's converter writes of a Llama with a byte-level tokenizer."""
    config = model.config
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_vocab_size(config.vocab_size)
    types = dict.fromkeys(SPECIAL, TokenType.CONTROL) | {TOOL: TokenType.USER_DEFINED}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([types.get(token, TokenType.NORMAL) for token in TOKENS])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def write(
    file: Path,
    model: LlamaForCausalLM | None = None,
    kind: GGMLQuantizationType = GGMLQuantizationType.F16,
    architecture: str = "llama",
    extra: dict[str, np.ndarray | None] | None = None,
    **changes: object,
) -> Path:
    """Write a model; `extra` adds or removes tensors, `changes` metadata (dots as `__`)."""
    model = model or llama()
    writer = GGUFWriter(file, architecture)
    metadata(writer, model)
    for name, value in changes.items():
        _change(writer, name.replace("__", "."), value)
    for name, values in (tensors(model) | (extra or {})).items():
        if values is None:
            continue
        if values.ndim == 1:
            writer.add_tensor(name, values.astype(np.float32))
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _change(writer: GGUFWriter, key: str, value: object) -> None:
    (data,) = writer.kv_data
    if value is None:
        del data[key]
    elif key in data:
        data[key].value = value
    else:
        kinds = {bool: "bool", int: "uint32", float: "float32", str: "string"}
        getattr(writer, f"add_{kinds[type(value)]}")(key, value)
