"""`finetune audit` of the quick experiment: as it was run, and after somebody edited it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from pipeline_clone import Clone

from finetune.auditing import command, drawing
from finetune.auditing.command import Options
from finetune.core.errors import UserError
from finetune.core.files import read_json, read_jsonl, write_json, write_jsonl

ROWS = 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(rows=-1), "--rows: is -1, must be 0 or more"),
        (Options(edited=0), "--edited: is 0, must be above 0 and at most 1"),
        (Options(probability=1.5), "--probability: is 1.5, must be above 0 and at most 1"),
        (Options(tolerance=-1), "--tolerance: is -1, must be at least 0 and below 1"),
    ],
)
def test_an_option_out_of_range_is_one_line_before_anything_is_read(tmp_path, options, said):
    with pytest.raises(UserError) as raised:
        command.run(tmp_path, "HEAD", options)
    assert str(raised.value) == said


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone in which the quick experiment is committed."""
    made = Clone.of_quick(tmp_path_factory)
    made.git("add", "-A")
    made.git("commit", "--quiet", "-m", "The quick experiment")
    return made


@pytest.fixture
def audit(clone, capsys) -> Callable[..., dict]:
    """What `finetune audit HEAD --json` says; it must end with this exit code."""

    def said(code: int = 0, **options: object) -> dict:
        assert command.run(clone.folder, "HEAD", Options(style="json", **options)) == code
        return json.loads(capsys.readouterr().out)

    return said


@pytest.fixture
def edited(clone) -> Iterator[Callable[..., None]]:
    """Commits what a test wrote, with the hashes of some stages made to fit it; undone later."""
    before = clone.git("rev-parse", "HEAD").strip()
    forged = []

    def commit(*stages: str) -> None:
        if stages:
            clone.dvc("commit", "--force", *stages)
            forged.extend(stages)
        clone.git("commit", "--quiet", "-am", "Better")

    yield commit
    clone.git("reset", "--quiet", "--hard", before)
    if forged:
        clone.dvc("checkout", "--force")


@pytest.mark.slow
def test_an_honest_run_is_as_committed(clone, audit):
    found = audit(task="price", rows=ROWS)
    assert found["as_committed"]
    assert found["code_differs"] == []
    assert (found["hashes"]["wrong"], found["hashes"]["missing"]) == ([], [])
    scores, validation, test, general = found["recomputed"]
    assert scores["exact"] == scores["total"] > 1000
    assert (validation["total"], validation["drawn"]) == (16, ROWS)
    assert (test["total"], test["drawn"]) == (32, ROWS)
    assert test["exact"] + test["within_tolerance"] == ROWS
    # Of 32 rows 2 are 5 %: 1 - C(30, 8) / C(32, 8).
    assert test["catches"] == pytest.approx(1 - 24 * 23 / (32 * 31), abs=1e-6)
    assert general["drawn"] == general["total"] == 60
    assert clone.git("worktree", "list").count("\n") == 1


@pytest.mark.slow
def test_edited_predictions_are_found_where_they_are_drawn(clone, audit, edited):
    rows = {3, 11, 20}
    file = clone.folder / "predictions/samsum/tuned.jsonl"
    predictions = read_jsonl(file)
    data = read_jsonl(clone.folder / "data/prepared/samsum/test.jsonl")
    for row in rows:
        predictions[row]["prediction"] = data[row]["summary"]
    write_jsonl(file, predictions)
    # Whoever edits them scores them too, and has every hash fit.
    evaluate = [sys.executable, "-m", "finetune.stages.evaluate", "tuned", "samsum"]
    environment = {**os.environ, "PYTHONPATH": "src"}
    subprocess.run(evaluate, cwd=clone.folder, env=environment, check=True, capture_output=True)
    edited("predict@samsum", "evaluate@samsum", "report")
    draws = {
        seed: rows & set(drawing.positions(seed, "samsum", "test", len(data), ROWS))
        for seed in range(100)
    }
    seed = next(seed for seed, drawn in draws.items() if len(drawn) == 2)
    found = audit(1, task="samsum", rows=ROWS, seed=seed)
    assert found["hashes"]["wrong"] == []
    differing = [line for each in found["recomputed"] for line in each["different"]]
    places = [line.partition(" is ")[0] for line in differing]
    assert places == [f"samsum test row {row + 1}: prediction" for row in sorted(draws[seed])]


@pytest.mark.slow
def test_a_flipped_byte_of_an_adapter_is_found_by_its_hash(clone, audit):
    folder = _cached(clone, _locked(clone, "train@price", "models/price"))
    listed = json.loads(folder.read_text())
    name = "adapter_model.safetensors"
    file = _cached(clone, next(each["md5"] for each in listed if each["relpath"] == name))
    whole, mode = file.read_bytes(), file.stat().st_mode
    middle = len(whole) // 2
    file.chmod(0o644)
    file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    file.chmod(mode)  # read-only: DVC itself takes it for whole then
    try:
        found = audit(1, task="price")
    finally:
        file.chmod(0o644)
        file.write_bytes(whole)
        file.chmod(mode)
    wrong = ["models/price: is not what train@price wrote"]
    assert found["hashes"]["wrong"] == wrong
    assert (found["not_recomputed"], found["recomputed"]) == (["price"], [])
    assert not found["as_committed"]


@pytest.mark.slow
def test_an_edited_metric_is_found_by_its_hash_and_by_computing_it_again(clone, audit, edited):
    file = clone.folder / "metrics/price/tuned.json"
    metrics = read_json(file)
    true = metrics["price"]["mae"]
    metrics["price"]["mae"] = 9.5
    write_json(file, metrics)
    edited()
    found = audit(1, task="price", rows=0)
    assert found["hashes"]["wrong"] == [
        "metrics/price/tuned.json: is not what evaluate@price wrote",
        "metrics: is not what report read",
    ]
    (scores,) = found["recomputed"]
    said = f"metrics/price/tuned.json: price mae is 9.5, and computed again {true}"
    assert scores["different"] == [said]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("", Options(), "audit: an empty name of a revision; a variable may not be set"),
        ("nope", Options(), "nope: no such commit, branch, tag or experiment"),
        ("HEAD", Options(task="nope"), "HEAD: no task 'nope'; known: samsum, price"),
        ("HEAD", Options("price", rows=33), "--rows: is 33, and price has 32 rows in a split"),
    ],
)
def test_a_mistake_is_one_line(clone, name, options, said):
    with pytest.raises(UserError) as raised:
        command.run(clone.folder, name, options)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_a_run_whose_files_are_not_here_is_one_line(clone, tmp_path):
    clone.git("clone", "--quiet", str(clone.folder), str(tmp_path / "other"))
    (line,) = Clone.at(tmp_path / "other").finetune("audit", "HEAD", code=2).splitlines()
    assert line.startswith("finetune: HEAD: data/prepared/samsum is in no cache here and in no")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "options", "said"),
    [
        (
            {"name": "models/gone"},
            Options(),
            "HEAD: its base model models/gone is not here; put the folder where model.name says",
        ),
        (
            {"source": "hosted"},
            Options("price"),
            "HEAD: its model is behind an API, so there is no adapter to compute its answers from",
        ),
    ],
)
def test_a_model_that_cannot_be_asked_here_is_one_line(clone, edited, changed, options, said):
    file = clone.folder / "params.yaml"
    params = yaml.safe_load(file.read_text())
    params["model"] |= changed
    file.write_text(yaml.safe_dump(params, sort_keys=False))
    edited()
    with pytest.raises(UserError) as raised:
        command.run(clone.folder, "HEAD", options)
    assert str(raised.value).startswith(said)


def _locked(clone: Clone, stage: str, path: str) -> str:
    """The hash that dvc.lock has of an out."""
    outs = yaml.safe_load((clone.folder / "dvc.lock").read_text())["stages"][stage]["outs"]
    return next(out["md5"] for out in outs if out["path"] == path)


def _cached(clone: Clone, md5: str) -> Path:
    return clone.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
