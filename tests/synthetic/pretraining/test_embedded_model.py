"""What models/embedded/ promises: small, in Hugging Face format, and not trained on the task."""

import importlib
import itertools
import random
import subprocess
from pathlib import Path

import pytest

from finetune.core.params import read
from finetune.tasks.price.rows import PRICES
from synthetic.pretraining import corpus, make

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "models" / "embedded"


def test_it_is_small_enough_for_git():
    listed = subprocess.run(
        ["git", "ls-files", "-z", str(FOLDER)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in filter(None, listed.split("\0"))]
    assert FOLDER / "model.safetensors" in files
    assert sum(file.stat().st_size for file in files) < 10 * 2**20


def test_its_tokenizer_has_every_price_and_a_chat_template():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    prices = [tokenizer(str(p), add_special_tokens=False)["input_ids"] for p in PRICES]
    assert {len(ids) for ids in prices} == {1}
    assert len({token for (token,) in prices}) == 1000
    assert tokenizer.chat_template
    assert tokenizer("It is 347 cm.")["input_ids"].count(*prices[347]) == 1


def test_pretraining_shows_no_row_of_a_split_and_no_prompt_of_a_task():
    params = read(ROOT / "params.yaml")
    whole = "\0".join(itertools.islice(corpus.documents(make.SEED), 10_000))
    for task in params.tasks.values():
        assert task.prompt.instruction not in whole
        assert task.prompt.cue.strip() not in whole
        name, rows = task.source.embedded, params.data.embedded.rows
        count = rows.train + rows.validation + rows.test
        generator = importlib.import_module(f"synthetic.rows.{name}")
        stream = generator.rows(random.Random(f"{name}-{params.data.embedded.seed}"))
        texts = [row.get("dialogue") or row["text"] for row in itertools.islice(stream, count)]
        assert not [text for text in texts if text in whole]


@pytest.mark.slow
def test_pretraining_makes_a_model_that_loads(tmp_path, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr(make, "TOKENIZER_DOCUMENTS", 500)
    make.make(
        tmp_path,
        steps=3,
        batch_tokens=512,
        learning_rate=1e-3,
        vocab_size=1800,
        hidden_size=64,
        layers=1,
    )
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert len(AutoTokenizer.from_pretrained(tmp_path)) == model.config.vocab_size == 1800
    assert (tmp_path / "pretraining.json").is_file()
