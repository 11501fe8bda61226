"""`finetune shelve`: what is written, what never is."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from shelved_runs import ELSEWHERE, WORDS, files_of, save

from finetune.comparing.sources import Source
from finetune.core.errors import UserError
from finetune.shelf import about, origin, reading, writing


def contents(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8")
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_no_text_of_the_data_and_no_folder_of_the_machine_is_shelved(shelved):
    given = "".join(files_of(0, 1).values())
    assert all(word in given for word in WORDS)
    for name in ("first", "second", "better"):
        for path, text in contents(shelved / "results" / name).items():
            for word in (*WORDS, ELSEWHERE, str(Path.home()), str(shelved)):
                assert word.lower() not in text.lower(), (path, word)


def test_rows_hold_ids_hashes_numbers_and_flags_alone(shelved):
    tables = list((shelved / "results/first/predictions").rglob("*.tsv"))
    assert len(tables) == 2 * (2 * 3 + 1 + 1)
    for table in tables:
        head, *lines = table.read_text().splitlines()
        for line in lines:
            for name, cell in zip(head.split("\t"), line.split("\t"), strict=True):
                if name == "part":
                    assert cell == "page"
                else:
                    number = r"-?\d+(\.\d+)?(e-?\d+)?"
                    hashed = r"(id-)?[0-9a-f]{12,16}|(test|validation|page)-\d+"
                    assert re.fullmatch(f"{number}|{hashed}|true|false|", cell), (table, name)


def test_what_is_shelved_of_a_run(shelved):
    folder = shelved / "results/first"
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert params["data"]["root"] == "…/private"
    assert params["model"]["name"] == "…/smollm2"
    train = json.loads((folder / "metrics/samsum/train.json").read_text())["samsum"]["train"]
    assert train["run"]["device"] == "CPU, 2 threads"
    assert "advice" not in train
    assert (folder / "metrics/samsum/curves/train_loss.tsv").read_text().endswith("2\t1.5e-05\n")
    described = about.read(folder, "results/first")
    assert described.left_out["metrics/samsum/train.json"] == ["samsum.train.advice"]
    task = described.tasks["samsum"]
    assert (task.kind, task.device, task.adapter) == (
        "summarization", "CPU, 2 threads", f"{1:032x}",
    )  # fmt: skip
    assert task.minutes == {"train": 1.5, "predict": None, "base": None}
    assert task.usd == {"train": 0.05, "predict": None, "base": None}
    assert described.stages["train@price"].deps == {"…/smollm2": "1" * 32}
    assert len(described.code.commit) == 40
    assert len(described.code.src) == 64
    assert described.command.startswith("git worktree add ../first ")
    assert described.code.commit[:12] in described.command
    reading.check(folder, "results/first")


def test_the_command_gives_paths_their_folders_again(shelved, tmp_path):
    folder = shelved / "results/first"
    command = about.read(folder, "results/first").command
    edit = next(part for part in command.split(" && ") if part.startswith("sed "))
    shutil.copy(folder / "params.yaml", tmp_path)
    subprocess.run(edit.replace("DIR", "/mine"), shell=True, check=True, cwd=tmp_path)
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())
    assert params["data"]["root"] == "/mine/private"
    assert params["model"]["name"] == "/mine/smollm2"


def test_a_command_without_such_paths_edits_nothing(repository):
    folder = repository / "results/x"
    inside = {"model": {"name": "models/embedded"}, "baselines": ["lead3", None, 2]}
    assert "sed" not in origin.command(repository, folder, None, inside)
    odd = origin.command(repository, folder, None, {"a": ["…/a.b|c&d"]})
    assert r"sed -i -e 's|…/a\.b\|c&d$|DIR/a.b\|c\&d|' params.yaml && dvc repro" in odd


def test_folders_of_one_name_outside_the_repository_are_all_kept():
    named = ["/a/model", "data/raw", "/b/model", "../model"]
    deps = [{"path": path, "md5": str(n)} for n, path in enumerate(named)]
    lock = yaml.safe_dump({"stages": {"train": {"deps": deps}}})
    stage = origin.stages(Source(lambda _: lock, lambda _: []), "x")["train"]
    expected = {"…/model": "0", "data/raw": "1", "…/model (2)": "2", "…/model (3)": "3"}
    assert stage.deps == expected


def test_the_same_run_gives_the_same_files(repository):
    folder = writing.shelve(repository, "one", "first")
    before = contents(folder)
    writing.shelve(repository, "one", "first", is_forced=True)
    assert contents(folder) == before


def test_the_workspace_says_where_its_code_differs_from_the_commit(repository):
    described = about.read(writing.shelve(repository, "a", "workspace"), "a")
    assert not described.code.is_changed
    assert described.packages.known_as == "installed"
    assert described.packages.versions["torch"]
    (repository / "src/code.py").write_text("changed\n")
    changed = about.read(writing.shelve(repository, "b", "workspace"), "b")
    assert changed.code.is_changed
    assert changed.code.src != described.code.src


def test_a_name_that_is_taken_is_refused_and_left_as_it_is(repository):
    folder = writing.shelve(repository, "one", "first")
    before = contents(folder)
    with pytest.raises(UserError, match=r"^results/one: is there already; --force replaces it$"):
        writing.shelve(repository, "one", "better")
    assert contents(folder) == before
    writing.shelve(repository, "one", "better", is_forced=True)
    assert contents(folder) != before


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a", "-x", ".x", "a b", "é", "README.md"])
def test_a_name_is_no_path(repository, name):
    with pytest.raises(UserError, match="a name on the shelf is of letters, digits"):
        writing.shelve(repository, name, "first")
    assert not (repository / "results").exists()


def test_a_note_with_a_text_of_the_data_is_refused(repository):
    note = "It fails on: Jarmila will bring the marzipan to Ladislav number 7."
    with pytest.raises(UserError, match=r"^about\.json: holds a text of the data; nothing was"):
        writing.shelve(repository, "one", "first", note)
    with pytest.raises(UserError, match=r"^about\.json: holds a folder of this machine"):
        writing.shelve(repository, "one", "first", f"from {Path.home()}/x")
    with pytest.raises(UserError, match=r"^--note: has 501 characters, must have at most 500"):
        writing.shelve(repository, "one", "first", "x" * 501)
    assert not (repository / "results/one").exists()
    writing.shelve(repository, "one", "first", "all of it")


def test_a_score_that_became_a_text_is_refused(repository):
    save(repository, 0, 1)
    file = repository / "predictions/samsum/baselines/lead.jsonl"
    text = file.read_text()
    file.write_text(re.sub(r'"rouge1": [\d.]+', '"rouge1": "quokka"', text, count=1))
    with pytest.raises(UserError, match=r"lead\.jsonl: 'rouge1' is not an id, a hash") as error:
        writing.shelve(repository, "one", "workspace")
    assert "quokka" not in str(error.value)
    assert not (repository / "results/one").exists()


def test_a_curve_with_a_text_is_refused(repository):
    (repository / "metrics/price/curves/train_loss.tsv").write_text("step\tloss\n1\tquokka\n")
    with pytest.raises(UserError, match=r"train_loss\.tsv: holds something that is no number"):
        writing.shelve(repository, "one", "workspace")


def test_two_rows_with_one_id_cannot_be_paired(repository):
    file = repository / "predictions/samsum/baselines/lead.jsonl"
    first, _, *rest = file.read_text().splitlines(keepends=True)
    file.write_text("".join([first, first, *rest]))
    with pytest.raises(UserError, match=r"lead\.jsonl: two rows have one id"):
        writing.shelve(repository, "one", "workspace")


@pytest.mark.parametrize("name", ["tuned", "base"])
def test_an_edited_run_is_refused(repository, name):
    file = repository / f"predictions/samsum/scored/{name}.jsonl"
    shutil.copy(repository / "predictions/samsum/baselines/lead.jsonl", file)
    with pytest.raises(UserError, match=rf"scored/{name}\.jsonl was changed since the run that"):
        writing.shelve(repository, "one", "workspace")


def test_a_revision_that_is_none_is_refused(repository):
    with pytest.raises(UserError, match="nowhere: no such commit, branch, tag or experiment"):
        writing.shelve(repository, "one", "nowhere")


def test_a_run_without_validation_rows_of_the_base_is_shelved_without_them(repository):
    for file in (repository / "predictions").rglob("validation/base.jsonl"):
        file.unlink()
    folder = writing.shelve(repository, "one", "workspace")
    assert not (folder / "predictions/samsum/scored/validation/base.tsv").exists()
    assert (folder / "predictions/samsum/scored/validation/tuned.tsv").exists()
