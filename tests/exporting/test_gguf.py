"""GGUF: llama.cpp's converter, its tokenizer held against the model's, and a model of it."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from finetune.core.errors import UserError
from finetune.core.files import read_json
from finetune.exporting import command, gguf, llama_model, merging
from finetune.exporting.command import Options

ROOT = Path(__file__).parents[2]
LLAMA_CPP = ROOT / ".llama.cpp"


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A machine that has llama.cpp, as far as `check` looks."""
    monkeypatch.setattr(gguf.importlib.util, "find_spec", lambda _: object())
    (tmp_path / gguf.CONVERTER).touch()
    return tmp_path


def test_what_is_missing_is_one_line(source, installed, monkeypatch, tmp_path):
    gguf.check(source("gguf", llama_cpp=installed))
    with pytest.raises(UserError, match=r"no llama.cpp in elsewhere .*`make llama-cpp` puts it"):
        gguf.check(source("gguf", llama_cpp=Path("elsewhere")))
    monkeypatch.setattr(gguf.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="needs llama_cpp and sentencepiece: pip install -r"):
        gguf.check(source("gguf", llama_cpp=installed))


@pytest.fixture
def converter(monkeypatch, source):
    """Gives the pre-tokenizer chosen, of those that tokenize so many of the 24 texts alike."""

    def chosen(alike: dict[str, int]) -> str:
        tried = []

        def convert(_, __, ___, pre, *____):
            if pre == "auto" and "auto" not in alike:
                raise UserError(
                    "NotImplementedError: BPE pre-tokenizer was not recognized - update"
                )
            tried.append(pre)

        monkeypatch.setattr(gguf, "_convert", convert)
        monkeypatch.setattr(gguf, "tokenizes_alike", lambda *_: alike.get(tried[-1], 0))
        given = source("gguf")
        return gguf._pre_tokenizer(given, merging.merged(given, "dequantized"), Path("model"))

    return chosen


def test_the_converters_own_name_is_kept_where_it_knows_the_tokenizer(converter):
    assert converter({"auto": 24}) == "auto"


def test_else_the_first_name_that_tokenizes_all_texts_alike(converter):
    assert converter({"llama-bpe": 23, "gpt-2": 24}) == "gpt-2"


@pytest.mark.parametrize("alike", [{"auto": 20}, {"llama-bpe": 20, "smollm": 3}])
def test_without_the_same_tokens_no_file_is_written(converter, alike):
    with pytest.raises(UserError, match="tokenizes 4 of 24 texts of the task otherwise"):
        converter(alike)


def test_a_converter_that_fails_gives_its_last_line(source, tmp_path):
    (tmp_path / gguf.CONVERTER).write_text("raise SystemExit('Model Foo is not supported')")
    with pytest.raises(
        UserError, match=r"llama.cpp's converter failed: Model Foo is not supported"
    ):
        gguf._convert(source("gguf", llama_cpp=tmp_path), Path("m"), Path("out.gguf"), "auto")


def test_a_file_is_named_by_its_task_not_by_a_temporary_folder(source, tmp_path):
    code = "import sys, pathlib; pathlib.Path(sys.argv[3]).write_text(' '.join(sys.argv[1:]))"
    (tmp_path / gguf.CONVERTER).write_text(code)
    out = tmp_path / "out.gguf"
    gguf._convert(source("gguf", llama_cpp=tmp_path), Path("m"), out, "auto", "--vocab-only")
    assert out.read_text().endswith("--outtype f16 --model-name samsum --vocab-only")


class Llama:
    """A stand-in for llama.cpp: the logits after a token favour the next number."""

    def __init__(self) -> None:
        self.n_tokens, self.evaluated = 0, []
        self.scores = np.zeros((16, 10), dtype=np.float32)

    def eval(self, ids: list[int]) -> None:
        self.evaluated.append(list(ids))
        for token in ids:
            self.scores[self.n_tokens] = np.eye(10, dtype=np.float32)[(token + 1) % 10]
            self.n_tokens += 1


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(llama_model, "_llama", lambda *_, **__: Llama())
    made = llama_model.LlamaModel(Path("model.gguf"), config=None, positions=16)
    made.generation_config = SimpleNamespace(eos_token_id=[7])
    return made


def test_what_rows_begin_with_alike_is_evaluated_once(model):
    logits = model(torch.tensor([[1, 2, 3], [1, 2, 5], [1, 2, 5]])).logits
    assert model._llama.evaluated == [[1, 2, 3], [5]]
    assert logits.shape == (3, 3, 10)
    assert logits.argmax(-1).tolist() == [[2, 3, 4], [2, 3, 6], [2, 3, 6]]


def test_greedy_answers_end_at_an_end_token_or_at_the_cap(model):
    ids = torch.tensor([[3, 4]])
    assert model.generate(ids, torch.ones_like(ids), 8).tolist() == [[3, 4, 5, 6, 7]]
    assert model.generate(ids, torch.ones_like(ids), 2).tolist() == [[3, 4, 5, 6]]


@pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None or not (LLAMA_CPP / gguf.CONVERTER).is_file(),
    reason="llama.cpp is not here: make llama-cpp",
)
@pytest.mark.slow
def test_llama_cpp_gives_the_scores_of_the_merged_model(repository):
    out = Path("out")
    command.run(repository, "samsum", Options("gguf", out, gguf_type="f32", llama_cpp=LLAMA_CPP))
    entry = read_json(out / "export.json")["samsum"]["forms"]["gguf_f32_dequantized"]
    # llama.cpp keeps keys and values in 16 bits, and a random model's likeliest tokens are close.
    assert entry["differing"] <= 2
    assert "rouge1" in entry["difference"]
