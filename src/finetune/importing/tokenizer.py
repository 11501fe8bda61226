"""The tokenizer of a GGUF file: a byte-level BPE from its vocabulary and merges."""

from dataclasses import dataclass

from gguf import TokenType
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

from finetune.importing.reader import Gguf

MODEL = "gpt2"  # GGUF's name of byte-level BPE

# The pre-tokenization of Llama 3 and Qwen 2, which differ in the length of groups of digits.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class PreTokenization:
    """The steps before the merges of BPE, and the defaults that go with them."""

    pre_tokenizer: pre_tokenizers.PreTokenizer
    normalizer: normalizers.Normalizer | None = None
    ignore_merges: bool = False  # a word in the vocabulary is one token
    adds_bos: bool = False  # if the file does not say


def _split(digits: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT.format(digits=digits)), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


GPT2 = PreTokenization(pre_tokenizers.ByteLevel(add_prefix_space=False))
DIGITS = PreTokenization(
    pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
)
LLAMA3 = PreTokenization(_split("{1,3}"), ignore_merges=True, adds_bos=True)
QWEN2 = PreTokenization(_split(""), normalizer=normalizers.NFC())
# By `tokenizer.ggml.pre`, as llama.cpp's converter writes it.
KINDS = {
    "gpt-2": GPT2,
    "smollm": DIGITS,
    "starcoder": DIGITS,
    "refact": DIGITS,
    "llama-bpe": LLAMA3,
    "llama3": LLAMA3,
    "llama-v3": LLAMA3,
    "qwen2": QWEN2,
    "deepseek-r1-qwen": QWEN2,
}
SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}


def tokenizer(gguf: Gguf, context: int) -> PreTrainedTokenizerFast:
    """The file's tokenizer with its special tokens and chat template.

    Raises:
        ModelError: the tokenizer is of another kind, or inconsistent.
    """
    kind = gguf["tokenizer.ggml.model"]
    if kind != MODEL:
        what = "SentencePiece" if kind == "llama" else "of an unknown kind"
        raise gguf.refuse(
            f"its tokenizer is {what} (tokenizer.ggml.model = {kind}); only byte-level BPE "
            f"({MODEL}) can be imported"
        )
    pre = gguf["tokenizer.ggml.pre"]
    if pre not in KINDS:
        raise gguf.refuse(
            f"how its tokenizer splits text, {pre!r} (tokenizer.ggml.pre), is not known here; "
            f"known are {', '.join(KINDS)}"
        )
    tokens = gguf["tokenizer.ggml.tokens"]
    special = {name: _special(gguf, tokens, key) for name, key in SPECIAL.items()}
    template = gguf.metadata.get("tokenizer.chat_template")
    built = _bpe(gguf, tokens, KINDS[pre])
    built.add_tokens(_added(gguf, tokens))
    built.post_processor = _post_processor(gguf, KINDS[pre], special)
    return PreTrainedTokenizerFast(
        tokenizer_object=built,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        **{f"{name}_token": token for name, token in special.items() if token is not None},
        **({"chat_template": template} if template else {}),
    )


def _bpe(gguf: Gguf, tokens: list[str], steps: PreTokenization) -> Tokenizer:
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        raise gguf.refuse("its vocabulary holds a token twice")
    merges = [tuple(merge.split(" ", 1)) for merge in gguf["tokenizer.ggml.merges"]]
    try:
        model = models.BPE(vocabulary, merges, ignore_merges=steps.ignore_merges)
    except Exception as error:  # the library raises no other class
        raise gguf.refuse(f"its merges do not fit its vocabulary: {error}") from error
    built = Tokenizer(model)
    built.pre_tokenizer = steps.pre_tokenizer
    built.decoder = decoders.ByteLevel()
    if steps.normalizer:
        built.normalizer = steps.normalizer
    return built


def _added(gguf: Gguf, tokens: list[str]) -> list[AddedToken]:
    """Special and user-defined tokens, which are matched before pre-tokenization; ids are kept."""
    types = gguf.metadata.get("tokenizer.ggml.token_type", [])
    return [
        AddedToken(token, normalized=False, special=kind == TokenType.CONTROL)
        for token, kind in zip(tokens, types, strict=False)
        if kind in (TokenType.CONTROL, TokenType.USER_DEFINED)
    ]


def _special(gguf: Gguf, tokens: list[str], key: str) -> str | None:
    name = f"tokenizer.ggml.{key}_token_id"
    index = gguf.metadata.get(name)
    if index is not None and index >= len(tokens):
        raise gguf.refuse(f"{name} is {index}, but there are {len(tokens)} tokens")
    return None if index is None else tokens[index]


def _post_processor(
    gguf: Gguf, steps: PreTokenization, special: dict[str, str | None]
) -> processors.PostProcessor:
    """The post-processor that adds BOS and EOS, if the file says so."""
    plain = processors.ByteLevel(trim_offsets=False)
    opens = gguf.metadata.get("tokenizer.ggml.add_bos_token", steps.adds_bos) and special["bos"]
    ends = gguf.metadata.get("tokenizer.ggml.add_eos_token", False) and special["eos"]
    if not opens and not ends:
        return plain
    tokens = gguf["tokenizer.ggml.tokens"]
    around = [[opens] if opens else [], [ends] if ends else []]
    first, second = ([*around[0], f"${name}", *around[1]] for name in "AB")
    added = processors.TemplateProcessing(
        single=first,
        pair=[*first, *(f"{piece}:1" for piece in second)],
        special_tokens=[(token, tokens.index(token)) for token in {opens, ends} if token],
    )
    return processors.Sequence([plain, added])
