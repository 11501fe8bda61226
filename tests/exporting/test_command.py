"""`finetune export`: what it writes, what it refuses, and that nothing is half written."""

import argparse
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from finetune.commands import export
from finetune.composition import compose
from finetune.core.errors import ModelError, UserError
from finetune.core.files import read_json
from finetune.exporting import command, folders, forms, gguf, merged
from finetune.exporting.command import Options
from finetune.forms import records
from finetune.modeling import base as base_model

ROOT = Path(__file__).parents[2]
TASK = "samsum"
OUT = Path("out/model")


def test_a_merged_model_is_written_and_both_bases_are_scored(repository, source, capsys):
    assert command.run(repository, TASK, Options("merged", OUT)) == 0
    entries = read_json(OUT / records.FILE)[TASK]["forms"]
    assert list(entries) == ["tuned", "merged_dequantized", "merged_original"]
    assert read_json(records.path(TASK))[TASK]["forms"] == entries
    # The tiny base is in float32, so that merging rounds nothing.
    dequantized = entries["merged_dequantized"]
    assert dequantized["differing"] == 0
    assert dequantized["difference"]["rouge1"] == {"mean": 0, "low": 0, "high": 0, "n": 6}
    assert entries["merged_original"]["into"] == "original"
    assert dequantized["weights_hash"] == folders.weights_hash(OUT)  # of what is there
    assert "weights_hash" not in entries["merged_original"]  # which is not kept
    assert {
        "size_mb", "load_seconds", "tokens_per_second", "requests_per_second",
    } == set(dequantized["run"])  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split()[:4] == ["MB", "load", "(s)", "tokens/s"]
    config = (OUT / "config.json").read_text()
    assert "_name_or_path" not in config
    assert str(repository) not in config
    options = source().settings.model.model_copy(update={"name": str(OUT)})
    assert base_model.load(options, source().on_original).model.num_parameters() > 0
    assert [p.name for p in OUT.parent.iterdir()] == [OUT.name]


def test_a_first_look_is_not_put_on_record(repository, capsys):
    command.run(repository, TASK, Options("adapter", OUT, rows=2))
    assert read_json(OUT / records.FILE)[TASK]["forms"]["adapter_original"]["n"] == 2
    assert not records.path(TASK).exists()
    assert "adapter, on the first 2 test rows" in capsys.readouterr().out


def test_an_export_in_the_repository_is_not_for_git(repository, tmp_path_factory):
    subprocess.run(["git", "init", "--quiet"], cwd=repository, check=True)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "model"
    for out in (OUT, elsewhere):
        command.run(repository, TASK, Options("adapter", out, rows=2))
    status = ["git", "status", "--porcelain", "--untracked-files=all", str(OUT)]
    done = subprocess.run(status, cwd=repository, check=True, capture_output=True, text=True)
    assert done.stdout == ""
    assert not (elsewhere / folders.IGNORED).exists()


def test_what_fails_leaves_nothing(repository, monkeypatch):
    def fails(_, folder):
        (folder / "half").write_text("half a model")
        raise ModelError("disk full")

    monkeypatch.setattr(merged, "write", fails)
    with pytest.raises(ModelError, match="disk full"):
        command.run(repository, TASK, Options("merged", OUT))
    assert list(OUT.parent.iterdir()) == []
    assert not records.path(TASK).exists()


def test_a_folder_with_something_else_is_left_alone(repository):
    OUT.mkdir(parents=True)
    (OUT / "letters.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else than an export"):
        command.run(repository, TASK, Options("merged", OUT))
    assert (OUT / "letters.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("mine", {}, "no task 'mine'; known: samsum"),
        (TASK, {"rows": 1}, "--rows: is 1, must be at least 2"),
    ],
)
def test_options_that_do_not_fit(repository, task, options, message):
    with pytest.raises(UserError, match=message):
        command.run(repository, task, Options("merged", OUT, **options))


def test_only_a_quantized_base_can_be_dequantized(source, changed):
    assert source().into == "dequantized"
    assert source("adapter").into == "original"
    changed("method", quantization="none")
    assert source().into == "original"
    assert source().label("merged") == "merged"
    with pytest.raises(UserError, match="the base is not quantized"):
        source(into="dequantized")


def test_a_model_at_its_provider_cannot_be_exported(repository):
    Path("params.yaml").write_text(compose(ROOT, ["model=hosted", "method=hosted"]))
    with pytest.raises(UserError, match="samsum: was tuned at its provider"):
        command.run(repository, TASK, Options("merged", OUT))


def test_without_an_adapter_nothing_can_be_exported(repository):
    Path("models/samsum/adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="nothing is trained"):
        command.run(repository, TASK, Options("merged", OUT))


@pytest.mark.parametrize("form", ["merged", "int8", "int4", "gguf"])
@pytest.mark.parametrize(
    ("tuner", "rest"), [("prefix", {"virtual_tokens": 3}), ("regression_head", {})]
)
def test_what_is_no_change_of_weights_is_refused_in_one_line(source, form, tuner, rest):
    given = source(form)
    method = given.settings.method.model_copy(update={"tuner": tuner, **rest})
    given = replace(given, settings=given.settings.model_copy(update={"method": method}))
    with pytest.raises(UserError, match=f"--form {form}: cannot be had of method.tuner={tuner}"):
        forms.of(form).check(given)


def test_the_command_line_knows_the_forms():
    parser = argparse.ArgumentParser()
    export.add_options(parser)
    choices = {action.dest: action.choices for action in parser._actions}
    assert tuple(choices["form"]) == forms.NAMES
    assert tuple(choices["gguf_type"]) == gguf.TYPES
