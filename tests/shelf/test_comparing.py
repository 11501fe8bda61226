"""Shelved runs in `compare`, `rank` and `ship`: as their revisions, to the last digit."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from shelved_runs import save

from finetune.comparing import command, configurations, rank_command, runs, ship_command
from finetune.comparing.command import Options
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.shelf import rows, writing

FINETUNE = [sys.executable, "-m", "finetune.cli"]
PAIRS = [
    ("results/first", "results/better"),
    ("first", "results/better"),
    ("results/first", "better"),
    ("results/first/", "results/better/"),
]


def compared(root: Path, capsys, *names: str, **options) -> dict:
    """What `compare` prints as JSON, without the names of the runs."""
    (root / paths.looks()).unlink(missing_ok=True)
    options = {"style": "json", "named_only": True} | options
    command.run(root, names, Options(**options))
    printed = json.loads(capsys.readouterr().out)
    for each in (printed, *printed["comparisons"]):
        for name in ("reference", "runs", "run"):
            each.pop(name, None)
    return printed


def ledger(root: Path) -> list[dict]:
    looks = json.loads((root / paths.looks()).read_text())["looks"]
    for look in looks:
        for side in ("before", "after"):
            del look[side]["runs"]
    return looks


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("options", [{}, {"by_cluster": True}, {"split": "validation"}])
def test_shelved_runs_compare_as_their_revisions_do(shelved, capsys, pair, options):
    expected = compared(shelved, capsys, "first", "better", **options)
    looks = None if options.get("split") else ledger(shelved)
    assert compared(shelved, capsys, *pair, **options) == expected
    if looks is not None:
        assert ledger(shelved) == looks
    scores = {each["score"]: each for each in expected["comparisons"][0]["scores"]}
    assert scores["rouge1"]["verdict"] == "better"
    assert scores["mae"]["verdict"] == "better"
    assert expected["comparisons"][0]["params"] == {"lora.r": {"old": 16, "new": 64}}


def test_a_look_at_a_shelved_run_is_the_look_at_its_revision(shelved, capsys, caplog):
    compared(shelved, capsys, "first", "better")
    caplog.clear()
    command.run(shelved, ["results/first", "results/better"], Options(named_only=True))
    assert "written down" not in caplog.text


def test_seeds_on_the_shelf_are_one_configuration(shelved, capsys):
    command.run(shelved, ["results/better", "results/first"], Options(split="validation"))
    said = capsys.readouterr().out
    assert "results/first: 2 runs (train.seed 1, 2)" in said
    assert "results/better: 1 run (train.seed 1)" in said
    command.run(shelved, ["results/first", "second"], Options(split="validation"))
    said = capsys.readouterr().out
    assert "No verdict: these runs are of one configuration" in said


def test_a_run_and_its_revision_are_one(shelved, capsys, caplog):
    command.run(shelved, ["first", "results/first"], Options(named_only=True, split="validation"))
    assert "No verdict: this is one run, whatever its names." in capsys.readouterr().out
    assert "left out" not in caplog.text


def test_all_of_a_shelf_can_be_named_with_its_readme(shelved, capsys):
    (shelved / "results/README.md").write_text("")
    names = sorted(f"results/{each.name}" for each in (shelved / "results").iterdir())
    assert "results/README.md" in names
    command.run(shelved, ["main", *names], Options(split="validation"))
    assert "main → results/first" in capsys.readouterr().out


def test_runs_of_other_rows_are_refused(repository, tmp_path):
    writing.shelve(repository, "one", "first")
    save(repository, 0, 1)
    for file in (repository / "predictions/samsum").rglob("tuned.jsonl"):
        if "scored" in file.parts:
            text = file.read_text().replace("number 7.", "number seven.")
            file.write_text(text)
    lock = repository / "dvc.lock"
    lock.write_text("stages: {}\n")  # nothing is known of what wrote them
    shutil.copy(repository / "predictions/samsum/scored/tuned.jsonl",
                repository / "predictions/samsum/tuned.jsonl")  # fmt: skip
    shutil.copy(repository / "predictions/price/scored/tuned.jsonl",
                repository / "predictions/price/tuned.jsonl")  # fmt: skip
    with pytest.raises(UserError, match="samsum: results/one and workspace were tested on diff"):
        command.run(repository, ["results/one", "workspace"], Options(named_only=True))


def test_rank_of_the_shelf(shelved, capsys):
    rank_command.run(shelved, [], rank_command.Options(shelf=True))
    said = capsys.readouterr().out
    assert "samsum: ROUGE-1 on 60 validation rows" in said
    assert "price: mean absolute error on 60 validation rows" in said
    assert "lora.r" in said
    assert "HEAD" not in said
    rank_command.run(
        shelved, ["results/better", "first"], rank_command.Options(style="json", task="samsum")
    )
    printed = json.loads(capsys.readouterr().out)
    assert [each["runs"] for each in printed["samsum"][0]] == [["results/better"], ["first"]]
    assert printed["samsum"][0][0]["minutes"] == 1.5


def test_rank_of_other_rows_is_another_table(repository, capsys):
    writing.shelve(repository, "one", "first")
    save(repository, 0, 1)
    text = "".join(
        line.replace("number 7.", "number seven.") + "\n"
        for line in (repository / "predictions/samsum/scored/validation/tuned.jsonl")
        .read_text()
        .splitlines()
    )
    file = repository / "predictions/samsum/scored/validation/tuned.jsonl"
    lock = repository / "dvc.lock"
    old = hashlib.md5(file.read_bytes()).hexdigest()
    lock.write_text(lock.read_text().replace(old, hashlib.md5(text.encode()).hexdigest()))
    file.write_text(text)
    writing.shelve(repository, "two", "workspace")
    rank_command.run(repository, [], rank_command.Options(shelf=True))
    said = capsys.readouterr().out
    assert said.count("samsum: ROUGE-1 on 60 validation rows") == 2
    assert said.count("price: mean absolute error on 60 validation rows") == 1
    assert "in several tables were asked other rows" in said


def tag_without_price(root: Path, name: str, r: int, primary: str = "rouge1") -> None:
    """A run of one of HEAD's two tasks alone, as of a preset."""
    save(root, 1, 1, lora__r=r)
    params = yaml.safe_load((root / "params.yaml").read_text())
    del params["tasks"]["price"]
    params["tasks"]["samsum"]["primary"] = primary
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    identity = ("-c", "user.email=a@example.com", "-c", "user.name=A")
    for command_line in (
        ("commit", "--quiet", "-am", name),
        ("tag", name),
        ("reset", "--quiet", "--hard", "HEAD~1"),
    ):
        subprocess.run(["git", *identity, *command_line], cwd=root, check=True)


def test_runs_of_other_tasks_than_heads_are_ranked_without_it(repository, capsys, caplog):
    tag_without_price(repository, "r4", 4)
    tag_without_price(repository, "r8", 8)
    rank_command.run(repository, ["r4", "r8", "first"], rank_command.Options())
    assert "ranked without HEAD: r4: lacks price, which HEAD has" in caplog.text
    with_head, of_price, without = capsys.readouterr().out.split(" on 60 validation rows")[1:]
    for said in (with_head, of_price):
        assert "HEAD" in said
        assert "first" in said
        assert "r4" not in said
    assert "HEAD " not in without.partition("Scores of validation rows")[0]
    assert "r4" in without
    assert "r8" in without
    assert "A table without HEAD is of runs whose tasks, rows or rules are others" in without
    rank_command.run(repository, ["r4", "r8"], rank_command.Options(task="samsum", style="json"))
    printed = json.loads(capsys.readouterr().out)
    assert {name for each in printed["samsum"] for name in each["runs"]} == {"HEAD", "r4", "r8"}
    rank_command.run(repository, ["r4", "r8"], rank_command.Options(style="json"))
    printed = json.loads(capsys.readouterr().out)
    ((best, other),) = printed["without_head"]["samsum"]
    assert {*best["runs"], *other["runs"]} == {"r4", "r8"}


def test_what_cannot_be_ranked_without_head_stops_no_other(repository, capsys, caplog):
    tag_without_price(repository, "r4", 4)
    tag_without_price(repository, "many", 8, "r9")
    rank_command.run(repository, ["r4", "many"], rank_command.Options())
    assert "left out: many: tasks.samsum.primary: is r9, must be one of rouge1" in caplog.text
    assert " r4 " in capsys.readouterr().out
    with pytest.raises(UserError, match=r"^--reveal: none of these can be held against HEAD"):
        rank_command.run(repository, ["r4"], rank_command.Options(reveal=True))


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        ([], {"shelf": True, "reveal": True}, "--reveal: holds the best against HEAD"),
        (["results/first"], {"task": "x"}, "--task x: these runs have samsum, price"),
    ],
)
def test_what_rank_cannot_do_with_shelved_runs_is_one_line(shelved, names, options, said):
    with pytest.raises(UserError, match=said):
        rank_command.run(shelved, names, rank_command.Options(**options))


def test_an_empty_shelf_can_be_named_and_is_one_line(repository):
    for run in (
        lambda names: rank_command.run(repository, names, rank_command.Options()),
        lambda names: command.run(repository, names, Options()),
    ):
        with pytest.raises(UserError, match=r"^results: nothing is shelved yet; `finetune shelve"):
            run(["results/README.md"])


def test_an_empty_shelf_has_no_ranking(repository):
    with pytest.raises(UserError, match="--shelf: nothing is shelved yet"):
        rank_command.run(repository, [], rank_command.Options(shelf=True))


def test_ship_decides_on_shelved_runs_as_on_revisions(shelved, capsys):
    printed = []
    for candidate, main in (("better", "first"), ("results/better", "results/first")):
        (shelved / paths.looks()).unlink(missing_ok=True)
        code = ship_command.run(shelved, candidate, main, Options(style="json", named_only=True))
        of = json.loads(capsys.readouterr().out)
        printed.append((code, of["verdict"], of["questions"], of["missing"]))
    assert printed[0] == printed[1]
    asked = [each["asked"] for each in printed[0][2]]
    assert "better than the best baseline, lead, in rouge1" in asked
    assert "as good in general text (bits per byte)" in asked


def test_a_folder_of_the_data_is_no_difference_between_runs(repository):
    save(repository, 0.2, 2, data__root="/somewhere/else/private")
    here, first = (runs.read(repository, name) for name in ("workspace", "first"))
    assert len(configurations.grouped([first, here], configurations.SEEDS)) == 1


def text_in(folder: Path) -> None:
    file = folder / "predictions/samsum/scored/tuned.tsv"
    file.write_text(file.read_text().replace("true", "quokka"))


def score_changed(folder: Path) -> None:
    file = folder / "predictions/price/scored/tuned.tsv"
    file.write_text(file.read_text().replace("100.0", "0.0"))


def truncated(folder: Path) -> None:
    file = folder / "predictions/samsum/scored/tuned.tsv"
    file.write_text(file.read_text()[:-30])


def removed(folder: Path) -> None:
    (folder / "predictions/samsum/scored/tuned.tsv").unlink()


def no_json(folder: Path) -> None:
    (folder / "about.json").write_text("{")


def other_about(folder: Path) -> None:
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps({**about, "format": 99}))


def more_about(folder: Path) -> None:
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps({**about, "example": "quokka"}))


def edited_params(folder: Path) -> None:
    file = folder / "params.yaml"
    file.write_text(file.read_text().replace("r: 16", "r: 64"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            text_in,
            "predictions/samsum/scored/tuned.tsv was changed since the run was shelved; `git",
        ),
        (score_changed, "predictions/price/scored/tuned.tsv was changed since the run was shelved"),
        (truncated, "predictions/samsum/scored/tuned.tsv was changed since the run was shelved"),
        (removed, "predictions/samsum/scored/tuned.tsv is missing; `git checkout results/one`"),
        (no_json, "about.json: line 1: no JSON"),
        (other_about, "results/one/about.json: format 99, this version reads 1"),
        (more_about, "results/one/about.json: example: Extra inputs are not permitted"),
        (edited_params, "params.yaml was changed since the run was shelved"),
    ],
)
def test_a_damaged_run_is_one_line(repository, damage, said):
    damage(writing.shelve(repository, "one", "first"))
    with pytest.raises(UserError) as error:
        command.run(repository, ["results/one", "better"], Options(named_only=True))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_text_with_the_right_hash_is_refused_too(repository):
    folder = writing.shelve(repository, "one", "first")
    file = folder / "predictions/samsum/scored/tuned.tsv"
    old = hashlib.sha256(file.read_bytes()).hexdigest()
    head, first, *rest = file.read_text().splitlines(keepends=True)
    input_hash = first.split("\t")[head.split("\t").index("input_hash")]
    file.write_text("".join([head, first.replace(input_hash, "Jarmila"), *rest]))
    about = folder / "about.json"
    new = hashlib.sha256(file.read_bytes()).hexdigest()
    about.write_text(about.read_text().replace(old, new))
    with pytest.raises(UserError, match="' is not an id, a hash, a number or a flag"):
        runs.read(repository, "results/one")


def test_a_metric_that_is_no_more_can_still_be_read(shelved, monkeypatch):
    monkeypatch.setattr(rows, "fields", lambda kind: frozenset())
    run = runs.read(shelved, "results/first")
    assert "rouge1" in run.predictions["samsum"][0]


def test_on_the_command_line_mistakes_are_one_line_and_exit_2(repository):
    def call(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*FINETUNE, *words], cwd=repository, capture_output=True, text=True, check=False
        )

    done = call("shelve", "one", "--rev", "first", "--note", "the first one")
    assert (done.returncode, done.stderr) == (0, "")
    assert "commit it with results/README.md" in done.stdout
    assert "the first one" in (repository / "results/README.md").read_text()
    removed(repository / "results/one")
    for words in (
        ("shelve", "one"),
        ("compare", "results/one", "better"),
        ("shelf",),
    ):
        done = call(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr.startswith("finetune: "), words
        assert done.stderr.count("\n") == 1, done.stderr
