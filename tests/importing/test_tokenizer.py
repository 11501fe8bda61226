import pytest
from tiny_gguf import MERGES, SPECIAL, TOKENS, write

from finetune.core.errors import UserError
from finetune.importing import reader
from finetune.importing.tokenizer import KINDS, tokenizer

TEXTS = [
    "Price is $123",
    "a  1 b\n\n\tif x:  return 12",
    "Zoë paid 12½ € for 三 <|im_end|> things 🙂",
    " whole 123 ",
]


def of(tmp_path, **changes):
    return tokenizer(reader.read(write(tmp_path / "tiny.gguf", **changes)), context=256)


@pytest.mark.parametrize("pre", KINDS)
def test_text_comes_back_from_its_tokens(tmp_path, pre):
    words = of(tmp_path, tokenizer__ggml__pre=pre)
    assert len(words) == len(TOKENS)
    for text in TEXTS:
        assert words.decode(words.encode(text, add_special_tokens=False)) == text


@pytest.mark.parametrize(
    ("pre", "text", "tokens"),
    [
        # The vocabulary holds 12 and 123: it is the split that gives one token a digit.
        ("smollm", "is $123", ["is", "Ġ$", "1", "2", "3"]),
        ("smollm", "x  123", ["x", "ĠĠ", "1", "2", "3"]),
        ("smollm", "x 1", ["x", "Ġ", "1"]),
        ("gpt-2", "is $123", ["is", "Ġ$", "123"]),
        ("gpt-2", "x 1", ["x", "Ġ1"]),
        ("llama-bpe", "is $1234", ["is", "Ġ$", "123", "4"]),
        ("llama-bpe", "x 1", ["x", "Ġ", "1"]),
        ("llama-bpe", "whole", ["whole"]),
        ("gpt-2", "whole", ["w", "h", "o", "l", "e"]),
        ("qwen2", "is $123", ["is", "Ġ$", "1", "2", "3"]),
        ("qwen2", "e\u0301", ["Ã", "©"]),
    ],
)
def test_text_is_split_as_the_file_says(tmp_path, pre, text, tokens):
    words = of(tmp_path, tokenizer__ggml__pre=pre)
    assert words.convert_ids_to_tokens(words.encode(text, add_special_tokens=False)) == tokens


def test_special_tokens_are_whole_and_have_their_roles(tmp_path):
    words = of(tmp_path)
    assert [words.unk_token, words.bos_token, words.eos_token] == SPECIAL
    assert words.pad_token == words.eos_token
    assert words.model_max_length == 256
    ids = words.encode("<|im_start|>is<tool><|im_end|>")
    assert [TOKENS[index] for index in ids] == ["<|im_start|>", "is", "<tool>", "<|im_end|>"]
    # A token of the user's own is text, and stays when special ones are left out.
    assert words.decode(ids, skip_special_tokens=True) == "is<tool>"


def test_the_chat_template_is_the_file_s(tmp_path):
    chat = [{"role": "user", "content": "is?"}]
    text = of(tmp_path).apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nis?<|im_end|>\n<|im_start|>assistant\n"
    assert of(tmp_path, tokenizer__chat_template=None).chat_template is None


@pytest.mark.parametrize(
    ("pre", "bos", "eos", "ids"),
    [
        ("smollm", False, False, []),
        ("smollm", None, None, []),
        ("llama-bpe", None, None, [1]),  # llama.cpp's default for it
        ("llama-bpe", False, None, []),
        ("smollm", True, None, [1]),
        ("smollm", True, True, [1, 2]),
    ],
)
def test_texts_are_opened_and_ended_as_the_file_says(tmp_path, pre, bos, eos, ids):
    changes = {"tokenizer__ggml__pre": pre, "tokenizer__ggml__add_bos_token": bos}
    if eos is not None:
        changes["tokenizer__ggml__add_eos_token"] = eos
    words = of(tmp_path, **changes)
    words.save_pretrained(tmp_path / "saved")
    for one in (words, type(words).from_pretrained(tmp_path / "saved")):
        assert one("").input_ids == ids
        assert one("is", add_special_tokens=False).input_ids == [TOKENS.index("is")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "llama"}, "its tokenizer is SentencePiece (tokenizer.ggml.model = llama); only"),
        ({"model": "t5"}, "its tokenizer is of an unknown kind (tokenizer.ggml.model = t5)"),
        ({"pre": "tekken"}, "how its tokenizer splits text, 'tekken' (tokenizer.ggml.pre), is not"),
        ({"pre": None}, "the metadata lack tokenizer.ggml.pre"),
        ({"tokens": [*TOKENS[:-1], TOKENS[0]]}, "its vocabulary holds a token twice"),
        ({"merges": [*MERGES, "q q"]}, "its merges do not fit its vocabulary: "),
        ({"eos_token_id": 99_999}, "tokenizer.ggml.eos_token_id is 99999, but there are"),
    ],
)
def test_a_tokenizer_that_cannot_be_built_is_told_in_one_line(tmp_path, changes, said):
    changes = {f"tokenizer__ggml__{key}": value for key, value in changes.items()}
    with pytest.raises(UserError) as raised:
        of(tmp_path, **changes)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
