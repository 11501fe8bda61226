"""A model's own code is never run, nor asked about."""

import json
import shutil
from pathlib import Path

import pytest

from finetune.core.errors import ModelError

CODE = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

Path({marker!r}).touch()

class Config(LlamaConfig):
    model_type = "strange"

class Model(LlamaForCausalLM):
    pass

class Tokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def folder(tiny_model, tmp_path) -> Path:
    """A model's folder with code beside it that would leave `ran`."""
    made = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (made / "strange.py").write_text(CODE.format(marker=str(tmp_path / "ran")))
    return made


@pytest.fixture(autouse=True)
def _yes(monkeypatch, tmp_path):
    """Somebody says yes to every question, as in `yes | dvc repro`."""

    def yes(question: str = "") -> str:
        (tmp_path / "asked").write_text(question)
        return "y"

    monkeypatch.setattr("builtins.input", yes)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", tmp_path / "modules")


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


ALL = {"AutoConfig": "strange.Config", "AutoModelForCausalLM": "strange.Model"}


@pytest.mark.parametrize(
    ("config", "tokenizer"),
    [
        # Each needs code in another of the three loads.
        ({"model_type": "strange", "auto_map": ALL}, {}),
        ({}, {"tokenizer_class": "Tokenizer", "auto_map": {"AutoTokenizer": ["strange.Tokenizer", None]}}),  # noqa: E501
        ({"model_type": "t5", "auto_map": ALL}, {}),  # known, but no decoder
    ],
    ids=["config", "tokenizer", "model"],
)  # fmt: skip
def test_a_model_that_needs_code_of_its_own_is_one_line(load, folder, tmp_path, config, tokenizer):
    change(folder / "config.json", **config)
    change(folder / "tokenizer_config.json", **tokenizer)
    with pytest.raises(ModelError, match=r"model.name: .* cannot be loaded: ") as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "asked").exists()


def test_a_known_model_is_loaded_by_the_librarys_own_code(load, folder, tmp_path):
    change(folder / "config.json", auto_map=ALL)
    assert load(folder).model.config.model_type == "llama"
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "asked").exists()
