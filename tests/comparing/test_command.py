"""`finetune compare` in a small repository with Git, DVC and three commits."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from finetune.comparing import command, runs
from finetune.comparing.command import Options
from finetune.comparing.data_changes import DataChange, SplitChange
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import write_jsonl
from finetune.rating import answers
from finetune.rating import command as rating

ROOT = Path(__file__).parents[2]


def write_lock(folder: Path, params: str) -> None:
    """A dvc.lock as of a run with these parameters, as far as a comparison reads it."""
    lora = yaml.safe_load(params)["lora"]
    stage = {"cmd": "true", "params": {"params.yaml": {"lora": lora}}}
    lock = {"schema": "2.0", "stages": {"train@price": stage}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Commits `first`, `better` and `lost` (its predictions are in no cache), and a workspace."""
    folder = tmp_path_factory.mktemp("repository")

    def call(*words: str) -> None:
        subprocess.run(words, cwd=folder, check=True, capture_output=True)

    def save(name: str, error: float, params: str) -> None:
        rows = [
            {
                "id": str(n),
                "reference": n,
                "prediction": n + error + n % 7,
                "absolute_error": error + n % 7,
                "hit": 100.0,
            }
            for n in range(50)
        ]
        file = folder / "predictions/price/tuned.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "params.yaml").write_text(params)
        write_lock(folder, params)
        call(sys.executable, "-m", "dvc", "add", "--quiet", "predictions/price/tuned.jsonl")
        call("git", "add", "-A")
        call("git", "commit", "--quiet", "--allow-empty", "-m", name)
        call("git", "tag", name)

    call("git", "init", "--quiet", "--initial-branch", "main")
    call("git", "config", "user.email", "test@example.com")
    call("git", "config", "user.name", "Test")
    call(sys.executable, "-m", "dvc", "init", "--quiet")
    call("git", "commit", "--quiet", "-m", "empty")
    call("git", "tag", "empty")
    params = (ROOT / "params.yaml").read_text()
    # One task is enough.
    start, end = params.index("  samsum:"), params.index("  price:")
    params = params[:start] + params[end:]
    save("lost", 9, params)
    shutil.rmtree(folder / ".dvc/cache")
    save("first", 30, params)
    other_machine = params.replace("token_budget: auto", "token_budget: 512")
    assert other_machine != params
    save("better", 20, other_machine.replace("  r: 16\n", "  r: 64\n"))
    return folder


@contextmanager
def edited(file: Path, text: str) -> Iterator[None]:
    """The file with another text, for a while."""
    before = file.read_text()
    file.write_text(text)
    try:
        yield
    finally:
        file.write_text(before)


def locked(repository: Path, **stages: dict) -> str:
    """The text of the repository's dvc.lock with more said of some stages, `_` for `@`."""
    lock = yaml.safe_load((repository / "dvc.lock").read_text())
    for name, more in stages.items():
        stage = lock["stages"].setdefault(name.replace("_", "@"), {"cmd": "true"})
        stage |= more
    return yaml.safe_dump(lock)


def compare(repository: Path, *names: str, **options: object) -> int:
    return command.run(repository, names, Options(**options))


def test_a_better_run_is_called_so_with_the_parameters_that_differ(repository, capsys):
    assert compare(repository, "first", "better", fail_if_worse=True) == 0
    said = capsys.readouterr().out
    assert "lora.r       16     64" in said
    assert "run." not in said  # of the machine: no two runs differ in it
    line = next(line for line in said.splitlines() if " mae " in line)
    assert "-10.00 [-10.00, -10.00]" in line
    assert line.rstrip().endswith("better")
    assert "first: 1 run (train.seed 1)" in said
    assert "With one run a side this is about these two runs" in said
    assert "`finetune seeds first --n 5`, `finetune seeds better --n 5`" in said


def test_a_difference_in_data_alone_is_said(repository, capsys, monkeypatch):
    change = DataChange("price", [], [SplitChange("train", (3, 2), ["7"], [], [])])
    monkeypatch.setattr(command.data_changes, "between", lambda *_: [change])
    assert compare(repository, "first", "better") == 0
    said = capsys.readouterr().out
    assert "\nfirst and better differ in the data of price alone: code, model and other" in said
    assert "\n  train: 3 and 2 rows: 1 only in first (7)\n" in said
    assert compare(repository, "first", "better", style="json") == 0
    (told,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert told["data_alone"][0]["splits"]["train"]["only_before"] == {"count": 1, "ids": ["7"]}


def test_worse_fails_where_ci_asks_for_it(repository, capsys):
    assert compare(repository, "better", "first", style="github", fail_if_worse=True) == 1
    assert compare(repository, "better", "first", style="github") == 0
    assert "## better → first" in capsys.readouterr().out


def test_a_look_at_test_rows_is_written_down_once(repository, caplog):
    (repository / paths.looks()).unlink(missing_ok=True)
    compare(repository, "first", "better")
    assert "metrics/looks.json: 1 look at test rows written down; `dvc repro` puts" in caplog.text
    (look,) = json.loads((repository / paths.looks()).read_text())["looks"]
    assert (look["before"]["runs"], look["after"]["runs"]) == (["first"], ["better"])
    caplog.clear()
    compare(repository, "first", "better")
    assert "written down" not in caplog.text


def test_whoever_leaves_before_the_table_has_looked(repository, monkeypatch):
    (repository / paths.looks()).unlink(missing_ok=True)

    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr(command.tables, "comparisons", closed)
    with pytest.raises(BrokenPipeError):
        compare(repository, "first", "better")
    assert (repository / paths.looks()).is_file()


def test_the_workspace_is_what_one_revision_is_held_against(repository, capsys):
    assert compare(repository, "better", style="json") == 0
    found = json.loads(capsys.readouterr().out)
    # The same run under two names.
    assert found["runs"] == ["better"]
    assert compare(repository, "first", style="json") == 0
    (compared,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert compared["run"] == runs.WORKSPACE
    assert compared["params"] == {"lora.r": {"old": 16, "new": 64}}
    mae = next(each for each in compared["scores"] if each["score"] == "mae")
    assert (mae["verdict"], mae["adjusted_by"], mae["is_primary"]) == ("better", "Holm", True)
    assert mae["seeds"] == {"old": 1, "new": 1}


def test_runs_that_differ_in_the_noise_alone_have_a_spread_and_no_verdict(repository, capsys):
    compare(repository, "first", "better", over="lora.r")
    said = capsys.readouterr().out
    assert "first: 2 runs (lora.r 16, 64)" in said
    assert "No verdict" in said
    compare(repository, "first", "better", over="lora.r", style="json")
    spread = next(
        each for each in json.loads(capsys.readouterr().out)["spreads"] if each["score"] == "mae"
    )
    assert spread["scores"] == pytest.approx([32.94, 22.94])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope", "nope: no such commit, branch, tag or experiment"),
        ("lost", "lost: predictions/price/tuned.jsonl is in no cache here; `dvc fetch"),
        ("", "compare: an empty name of a revision"),
        ("empty", "empty: that revision has no params.yaml; was `dvc repro` run for it?"),
    ],
)
def test_a_revision_that_cannot_be_read_is_one_line(repository, name, said):
    with pytest.raises(UserError) as raised:
        compare(repository, "first", name)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_predictions_of_other_parameters_are_refused(repository):
    file = repository / "params.yaml"
    with (
        edited(file, file.read_text().replace("  r: 64\n", "  r: 8\n")),
        pytest.raises(UserError, match=r"price were made with lora\.r = 64, and .* says 8; run"),
    ):
        runs.read(repository, runs.WORKSPACE)


@pytest.mark.parametrize(
    "read", [lambda folder: runs.read(folder, runs.WORKSPACE), runs.check], ids=["read", "check"]
)
def test_predictions_that_are_older_than_their_data_are_refused(repository, read):
    data = {"path": "data/prepared/price"}
    text = locked(
        repository,
        train_price={"deps": [data | {"md5": "old.dir"}]},
        prepare_price={"outs": [data | {"md5": "new.dir"}]},
    )
    with (
        edited(repository / "dvc.lock", text),
        pytest.raises(UserError, match=r"price are older than data/prepared/price; the last"),
    ):
        read(repository)


def test_predictions_that_somebody_edited_are_refused(repository):
    out = {"path": "predictions/price/tuned.jsonl", "md5": "0" * 32}
    with (
        edited(repository / "dvc.lock", locked(repository, evaluate_price={"outs": [out]})),
        pytest.raises(UserError, match=r"tuned\.jsonl was changed since the run"),
    ):
        runs.read(repository, runs.WORKSPACE)


def test_the_way_back_to_lost_predictions_names_a_commit_that_git_knows(repository):
    with pytest.raises(UserError) as raised:
        runs.read(repository, "lost")
    name = str(raised.value).partition("git switch --detach ")[2].partition("`")[0]
    found = subprocess.run(
        ["git", "rev-parse", "lost"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(name)
    assert len(name) == 12


def test_a_small_number_is_a_number_in_both_files(repository):
    # PyYAML reads 1e-06 as text, and what DVC writes into its lock looks like that.
    params, lock = repository / "params.yaml", repository / "dvc.lock"
    with (
        edited(params, params.read_text().replace("  dropout: 0.0\n", "  dropout: 1.0e-06\n")),
        edited(lock, lock.read_text().replace("dropout: 0.0\n", "dropout: 1e-06\n")),
    ):
        assert runs.read(repository, runs.WORKSPACE).params["lora.dropout"] == 1e-6


def test_a_task_that_is_gone_is_told_and_fails_where_ci_asks(repository, capsys, monkeypatch):
    whole = runs.read(repository, "first")
    more = runs.Run(
        "main",
        {**whole.params, "tasks.mine.kind": "price"},
        {**whole.kinds, "mine": "price"},
        whole.predictions,
    )
    monkeypatch.setattr(
        command.runs, "read", lambda _, name, *__: more if name == "main" else whole
    )
    assert compare(repository, "main", "first", fail_if_worse=True) == 1
    assert "Not compared, because first lacks it: mine." in capsys.readouterr().out


def test_a_table_in_markdown_has_one_line_a_parameter(repository, capsys, monkeypatch):
    whole = runs.read(repository, "first")
    other = runs.Run("b", {**whole.params, "cue": "a | b\nc"}, whole.kinds, whole.predictions)
    monkeypatch.setattr(command.runs, "read", lambda _, name, *__: whole if name == "a" else other)
    compare(repository, "a", "b", style="github")
    (line,) = [each for each in capsys.readouterr().out.splitlines() if each.startswith("| cue")]
    assert line == '| cue         | null  | "a \\| b\\nc" |'


def test_a_workspace_without_predictions_says_what_makes_them(repository, tmp_path):
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy(repository / name, tmp_path)
    with pytest.raises(UserError, match=r"tuned\.jsonl is not there; run `dvc repro`"):
        runs.read(tmp_path, runs.WORKSPACE)


def test_answers_of_two_revisions_are_rated(repository, tmp_path, capsys):
    products = [
        {"id": str(n), "text": f"Chair {n}", "price": float(n), "category": None} for n in range(50)
    ]
    # In no revision here: then it is taken from the workspace.
    write_jsonl(repository / "data/prepared/price/test.jsonl", products)
    out = tmp_path / "page.html"
    rating.run(repository, ["first", "better"], rating.Options(rows=30, out=out))
    assert "30 of 50 test rows of price; left out: 0 that both" in capsys.readouterr().out
    assert "Which price is more likely?" in out.read_text()
    assert " USD" in out.read_text()
    with pytest.raises(UserError, match=r"better: that revision has no predictions/price/base"):
        answers.read(repository, "better:base", "test")


def test_a_primary_score_of_too_few_rows_is_told_and_fails_where_ci_asks(
    repository, capsys, monkeypatch
):
    read = command.runs.read

    def as_r2(*arguments):
        run = read(*arguments)
        return replace(run, params={**run.params, "tasks.price.primary": "r2"})

    monkeypatch.setattr(command.runs, "read", as_r2)
    assert compare(repository, "first", "better", named_only=True) == 0
    said = capsys.readouterr().out
    assert "because the rows are too few: price r2 (of 50 rows, takes 800)." in said
    assert compare(repository, "first", "better", fail_if_worse=True, named_only=True) == 1


def test_a_record_of_runs_of_one_configuration_is_refused(repository):
    with pytest.raises(UserError, match=r"^--record: all that was named are runs of first's own"):
        compare(repository, "first", "first", record=True)
