"""`finetune predict`: answers without anything that holds them against references."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl, write_jsonl
from finetune.core.schema import Lora
from finetune.predicting import adapters, command
from finetune.scoring.metrics import Flag

ROOT = Path(__file__).parents[2]
TASK = "samsum"


@pytest.fixture
def repository(tmp_path, monkeypatch, tiny_model, load) -> Path:
    """The working directory: params.yaml, a train row, an adapter, and a file without answers."""
    from finetune.methods import adapters as saved
    from finetune.methods.lora import attach

    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["model"] |= {"name": str(tiny_model), "source": "local"}
    values["method"] |= {"quantization": "none"}
    values["tasks"] = {TASK: values["tasks"][TASK]}
    values["tasks"][TASK]["prompt"]["max_completion_tokens"] = 4
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    train = [{"id": "1", "dialogue": "Anna: Hi", "summary": "Anna says hi."}]
    write_jsonl(paths.prepared(TASK) / "train.jsonl", train)
    options = Lora(r=2, alpha=4.0, dropout=0.0, target_modules="all-linear")
    saved.save(attach(load(tiny_model).model, options), paths.adapter(TASK))
    Path("new.csv").write_text('dialogue\n"Tom: Is it 5?"\n"Eva: No."\n')
    return tmp_path


def test_answers_are_written_or_printed(repository, capsys, monkeypatch):
    assert command.run(repository, TASK, Path("new.csv"), None, Path("out.jsonl")) == 0
    written = read_jsonl(Path("out.jsonl"))
    assert [row["id"] for row in written] == ["line 2", "line 3"]
    assert [set(row) for row in written] == [{"id", "prediction"}] * 2
    capsys.readouterr()
    monkeypatch.setattr(adapters, "fetch", lambda _: paths.adapter(TASK))
    for adapter in ("owner/name@v1", str(paths.adapter(TASK))):
        command.run(repository, TASK, Path("new.csv"), adapter, None)
        assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == written


def test_what_is_amiss_is_counted(repository, capsys):
    Path("new.csv").write_text('dialogue\n"' + "Tom: Is it 5? " * 500 + '"\nEva: No.\n')
    command.run(repository, TASK, Path("new.csv"), None, None)
    assert "new.csv: 2 answers, of which 1 prompt truncated" in capsys.readouterr().err


def test_a_constant_that_stands_in_is_no_answer(repository, capsys, monkeypatch):
    flag = Flag("unparsable", "no price", is_no_answer=True, is_imputed=True)
    answers = [{"id": "a", "prediction": 9.0, "unparsable": True}, {"id": "b", "prediction": 7.0}]
    monkeypatch.setattr(command, "predict", lambda *_: answers)
    scores = SimpleNamespace(FLAGS=(flag,))
    monkeypatch.setattr(command.registry, "scores", lambda *_: scores)
    command.run(repository, TASK, Path("new.csv"), None, None)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["prediction"] for row in printed] == [None, 7.0]


def test_what_is_not_there_is_one_line(repository):
    with pytest.raises(UserError, match="no task 'mine'; known: samsum"):
        command.run(repository, "mine", Path("new.csv"), None, None)
    with pytest.raises(UserError, match="new2: no such file"):
        command.run(repository, TASK, Path("new2"), None, None)
    with pytest.raises(UserError, match="--out models: is a folder; name a file"):
        command.run(repository, TASK, Path("new.csv"), None, Path("models"))
    with pytest.raises(UserError, match=r"--out new\.csv: is there already; name a new file"):
        command.run(repository, TASK, Path("new.csv"), None, Path("new.csv"))
    (paths.prepared(TASK) / "train.jsonl").unlink()
    with pytest.raises(UserError, match="not there; run `dvc repro prepare@"):
        command.run(repository, TASK, Path("new.csv"), None, None)
