"""Tokens of rows of a file: counted by a tokenizer that is here, or estimated."""

from pathlib import Path

import pytest
import yaml

from finetune.core import params, paths
from finetune.core.files import read_json, write_json, write_jsonl
from finetune.core.schema import Model
from finetune.planning import lengths
from finetune.tasks.summarization.rows import Row

ROOT = Path(__file__).parents[2]
EMBEDDED = str(ROOT / "models/embedded")
ROWS = [Row(id=str(n), dialogue="Anna: Hi, Tom! " * (n + 1), summary="Anna.") for n in range(6)]


def model(name: str) -> Model:
    return Model(name=name, source="local", revision=None, watch=name)


def test_a_prompt_adds_its_instruction_and_nothing_is_truncated(prompt):
    alone, how = lengths.of_rows(ROWS, None, model(EMBEDDED))
    assert how == f"by the tokenizer of {EMBEDDED}, without instruction and template"
    short = prompt.model_copy(update={"max_tokens": 16, "max_completion_tokens": 1})
    asked, how = lengths.of_rows(ROWS, short, model(EMBEDDED))
    assert how == f"by the tokenizer of {EMBEDDED}"
    added = {under.prompt - raw.prompt for raw, under in zip(alone, asked, strict=True)}
    assert len(added) == 1
    assert added.pop() > 5
    assert asked[5].prompt > 16


def test_without_a_tokenizer_they_are_estimated(prompt):
    found, how = lengths.of_rows(ROWS, None, model("models/none"))
    assert how == "estimated, 4 characters a token"
    assert [row.prompt for row in found] == [len(row.input) // 4 for row in ROWS]
    asked, _ = lengths.of_rows(ROWS, prompt, model("models/none"))
    assert asked[0].prompt > found[0].prompt


@pytest.mark.parametrize(("most", "counted"), [(6, 6), (5, 3), (2, 2), (1, 1)])
def test_of_many_rows_some_are_counted(monkeypatch, most, counted):
    monkeypatch.setattr(lengths, "COUNTED_ROWS", most)
    found, how = lengths.of_rows(ROWS, None, model("models/none"))
    assert len(found) == counted
    assert (f"from {counted} of 6 rows" in how) == (counted < 6)


@pytest.fixture
def settings(tmp_path, monkeypatch) -> params.Params:
    """Parameters of dialogues with a data set of the hub mixed in, and its prepared rows."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    del values["tasks"]["price"]
    hub = {"repo": "a/more", "revision": "1" * 40, "splits": {"train": "train"},
           "fields": {"dialogue": "text", "summary": "gist"}}  # fmt: skip
    values["tasks"]["samsum"]["source"]["mix"] = {"more": {"hub": hub, "licence": "MIT"}}
    monkeypatch.chdir(tmp_path)
    mixed = {"source": "hub", "repo": "a/more", "revision": "1" * 40, "weight": 1.0}
    origin = {"source": "embedded", "mix": {"more": mixed}}
    write_json(paths.raw("samsum") / "source.json", origin)
    for split in paths.SPLITS:
        rows = [row.model_dump(exclude_unset=True) for row in ROWS]
        write_jsonl(paths.prepared("samsum") / f"{split}.jsonl", rows)
    return params.validate(values, "params.yaml")


def test_rows_of_the_hub_are_those_that_prepare_has_written(settings):
    rows = lengths._rows(settings, "samsum")
    assert rows is not None
    assert list(rows["train"]) == ROWS


@pytest.mark.parametrize(
    "changed",
    [
        {"source": "files"},
        {"mix": {}},
        {"mix": {"more": {"source": "files", "weight": 1.0}}},
        {"mix": {"more": {"source": "hub", "repo": "a/other", "weight": 1.0}}},
        {"mix": {"more": {"source": "hub", "repo": "a/more", "revision": "2" * 40, "weight": 1.0}}},
        {"mix": {"more": {"source": "hub", "repo": "a/more", "revision": "1" * 40, "weight": 2.0}}},
    ],
)
def test_rows_of_other_data_sets_are_not_taken_for_them(settings, changed):
    file = paths.raw("samsum") / "source.json"
    write_json(file, read_json(file) | changed)
    assert lengths._rows(settings, "samsum") is None
