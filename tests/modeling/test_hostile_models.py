"""Model folders with one thing wrong in them: each is one line, whatever a library stumbles on."""

import json
import pickle
import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from finetune.core.errors import ModelError
from finetune.modeling import prompts
from finetune.modeling.bounds import BoundExceededError, bounded


@pytest.fixture
def folder(tiny_model, tmp_path) -> Path:
    """A copy of the tiny model."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def change(file: Path, **values: Any) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | values))


def refusal(load: Any, folder: Path) -> str:
    with pytest.raises(ModelError) as raised:
        load(folder)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 700
    return str(raised.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"num_attention_heads": 0}, "cannot be loaded: ZeroDivisionError: "),
        ({"num_key_value_heads": 0}, "cannot be loaded: ZeroDivisionError: "),
        ({"num_attention_heads": 7}, "not a multiple of the number of attention heads (7)"),
        ({"num_attention_heads": "x"}, "'num_attention_heads' expected int, got str"),
        ({"num_hidden_layers": 0}, "has num_hidden_layers 0 in its config.json; is it damaged?"),
        ({"num_hidden_layers": -1}, "has num_hidden_layers -1 in its config.json; is it damaged?"),
        ({"vocab_size": 0}, "cannot be loaded: "),
        ({"hidden_size": 32}, "has weights of other shapes than its config.json: "),
        ({"dtype": "float99"}, "cannot be loaded: AttributeError: module 'torch' has no attribute"),
        ({"hidden_act": "nope"}, "cannot be loaded: 'nope'"),
        ({"model_type": ["a"]}, "cannot be loaded: TypeError: "),
        ({"eos_token_id": "x"}, "Field 'eos_token_id' with value 'x'"),
        ({"max_position_embeddings": "x"}, "'max_position_embeddings' expected int, got str"),
    ],
)
def test_a_config_that_cannot_be_is_one_line(load, folder, values, said):
    change(folder / "config.json", **values)
    assert said in refusal(load, folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", "[1]", "cannot be loaded: Unrecognized model"),
        ("config.json", '{"a', "is not a valid JSON file"),
        ("config.json", b"\xff\xfe", "is not a valid JSON file"),
        ("generation_config.json", "[]", "cannot be loaded: TypeError: "),
        ("generation_config.json", '{"eos_token_id": "x"}', "generation_config.json is 'x', must"),
        ("tokenizer.json", "[]", "cannot be loaded: "),
        ("tokenizer.json", '{"a', "cannot be loaded: "),
        ("tokenizer_config.json", "[]", "cannot be loaded: AttributeError: "),
        ("model.safetensors", b"", "cannot be loaded: Error while deserializing header"),
    ],
)
def test_a_file_that_is_none_of_its_sort_is_one_line(load, folder, name, content, said):
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    assert said in refusal(load, folder)


def test_the_length_of_a_tokenizer_is_a_number(load, folder):
    change(folder / "tokenizer_config.json", model_max_length="x")
    assert "is 'x', must be a number (tokenizer_config.json)" in refusal(load, folder)


@pytest.mark.parametrize("content", [pickle.dumps({"a": print}), b"junk"], ids=["pickle", "junk"])
def test_pickled_weights_are_not_run(load, folder, content):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    said = refusal(load, folder)
    assert "cannot be loaded: " in said
    assert "weights_only" not in said


def test_an_index_of_weights_that_is_a_list_is_one_line(load, folder):
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "model.safetensors.index.json").write_text("[]")
    assert "cannot be loaded: TypeError: " in refusal(load, folder)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "took lo",
        ),
        ("{{ 'x' * 99999999999 }}", "took more than 1024 MB"),
        ("{% for i in range(1000000000) %}x{% endfor %}", "Range too big"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "maximum recursion depth exceeded"),
        ("{% for %}", "Expected an expression"),
        ("{{ nope.x.y }}", "'nope' is undefined"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[9].content }}", "has no element 9"),
        ("{{ ''.__class__.__mro__ }}", "is unsafe"),
    ],
)
def test_a_template_that_fails_loops_or_piles_up_is_one_line(
    load, tiny_model, prompt, monkeypatch, template, said
):
    monkeypatch.setattr(prompts, "TEMPLATE_SECONDS", 0.5)
    loaded = load(tiny_model)
    loaded.tokenizer.chat_template = template
    with pytest.raises(ModelError, match="the chat template of this tokenizer fails: ") as raised:
        prompts.PromptEncoder(loaded.tokenizer, prompt, loaded.context)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bounds_are_lifted_after_the_block():
    before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)
    with bounded(0.05, 100):
        pass
    with pytest.raises(BoundExceededError, match=r"took longer than 0\.05 s"), bounded(0.05, 100):
        time.sleep(5)
    with pytest.raises(BoundExceededError, match="took more than 100 MB"), bounded(5, 100):
        bytearray(10**9)
    time.sleep(0.06)  # no alarm is left
    assert (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)) == before
