"""`finetune dataset from-docs`, from folders of documents to files that a run takes."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from tiny_documents import pdf, text_page, word

from finetune import cli
from finetune.composition import compose
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.files import read_json, read_jsonl, sha256
from finetune.documents import command
from finetune.documents.command import Options
from finetune.scaffold import command as scaffold
from finetune.stages import fetch, prepare

ROOT = Path(__file__).parents[2]
SPLITS = ("train", "validation", "test")


@pytest.fixture
def documents(tmp_path, monkeypatch) -> Path:
    """A folder with documents of all formats, beside parameters of the preset."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "handbook"
    folder.mkdir()
    for n, name in enumerate(("runs", "keys", "costs", "limits")):
        (folder / f"{name}.md").write_text(
            f"# About {name}\n\nAll {n + 2} rules about {name} stand on this page of ours.\n\n"
            f"## Where {name} are\n\nThe {name} are found in `conf/{name}.yaml`, as number {n}.\n\n"
            f"### Who may change {name}?\n\nThose who own {name} may, on {n + 3} days a week.\n"
        )
    (folder / "manual.pdf").write_bytes(pdf([text_page("1")]))
    word(folder / "manual.docx")
    (folder / "bad.pdf").write_bytes(b"none")
    (folder / "picture.png").write_bytes(b"")
    return folder


def run(folder: Path, out: str = "out", **options: object) -> int:
    return command.run(Path(), [folder], Options(Path(out), **options))


def rows(out: str = "out") -> dict[str, list[dict]]:
    return {split: read_jsonl(Path(out) / f"{split}.jsonl") for split in SPLITS}


def test_documents_become_files_of_splits(documents, capsys):
    assert run(documents) == 0
    by_split = rows()
    everything = [row for split in SPLITS for row in by_split[split]]
    files = [{row["file"] for row in by_split[split]} for split in SPLITS]
    assert all(files)
    assert not files[0] & files[1]
    assert not (files[0] | files[1]) & files[2]
    assert len({row["id"] for row in everything}) == len(everything)
    asked = {row["instruction"]: row for row in everything}
    assert asked["Who may change keys?"]["response"] == "Those who own keys may, on 4 days a week."
    assert {row.get("page") for row in everything if row["file"].endswith(".pdf")} == {1}
    record = read_json(Path("out/documents.json"))
    assert record["documents"]["handbook/keys.md"] == {
        "sha256": sha256(documents / "keys.md"),
        "pairs": 3,
        "split": next(s for s, f in zip(SPLITS, files, strict=True) if "handbook/keys.md" in f),
    }
    assert list(record["unreadable"]) == ["handbook/bad.pdf"]
    said = capsys.readouterr().out
    assert said.startswith(f"6 documents, {len(everything)} pairs: out/train.jsonl")
    assert "Not read:\n  handbook/bad.pdf: " in said
    assert "Files of other formats:\n1  .png" in said
    assert "dvc exp run -S experiment=docs-assistant -S data.root=out" in said


def test_the_same_documents_give_the_same_bytes(documents):
    run(documents)
    first = {split: (Path("out") / f"{split}.jsonl").read_bytes() for split in SPLITS}
    run(documents, force=True)
    assert first == {split: (Path("out") / f"{split}.jsonl").read_bytes() for split in SPLITS}


def test_the_preset_takes_the_folder(documents, tmp_path):
    run(documents, context_words=60, questions=2)
    overrides = ["experiment=docs-assistant", f"data.root={tmp_path / 'out'}"]
    Path("params.yaml").write_text(compose(ROOT, overrides), encoding="utf-8")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    fetch.run(params.for_stage("fetch", "docs"), "docs")
    prepare.run(params.for_stage("prepare", "docs"), "docs")
    counts = read_json(Path("metrics/docs/data.json"))["docs"]["data"]
    for split, of_split in rows().items():
        assert counts[split]["kept"] == counts[split]["rows"] == len(of_split)
        assert counts[split]["set_aside"] == 0
    (row, *_) = read_jsonl(Path("data/prepared/docs/test.jsonl"))
    assert row["response"] in row["context"]


def test_answers_of_validation_and_test_are_asked_for_once(documents):
    run(documents, questions=2)
    repeated = {
        split: len(of_split) - len({(row["file"], row["response"]) for row in of_split})
        for split, of_split in rows().items()
    }
    assert repeated["train"] > 0
    assert repeated["validation"] == repeated["test"] == 0
    left_out = read_json(Path("out/documents.json"))["left_out"]
    assert left_out["further questions of validation and test about one answer"] > 0


def test_init_recognizes_the_folder(documents, tmp_path, capsys):
    run(documents)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    scaffold.run(Path(), Path("out"), scaffold.Options(task="handbook"))
    assert "conf/task/handbook.yaml: instruction\n" in capsys.readouterr().out
    config = yaml.safe_load(Path("conf/task/handbook.yaml").read_text())
    files = config["source"]["files"]
    assert files["splits"] == {split: f"{split}.jsonl" for split in SPLITS}
    assert {"id", "instruction", "response"} <= files["fields"].keys()


def test_one_file_has_a_column_of_splits(documents, capsys):
    run(documents, "pairs.jsonl")
    splits = {(row["file"], row["split"]) for row in read_jsonl(Path("pairs.jsonl"))}
    assert len(splits) == 6
    assert {split for _, split in splits} == set(SPLITS)
    assert "finetune dataset check pairs.jsonl --kind instruction" in capsys.readouterr().out


def test_one_document_gives_one_file_without_splits(documents, capsys):
    one = [documents / "keys.md"]
    command.run(Path(), one, Options(Path("pairs.jsonl")))
    assert all("split" not in row for row in read_jsonl(Path("pairs.jsonl")))
    assert "there is no split by document" in capsys.readouterr().out
    with pytest.raises(UserError, match="takes three that give pairs, and there are 1"):
        command.run(Path(), one, Options(Path("out")))
    assert not Path("out").exists()


def test_files_that_are_there_are_kept_unless_forced(documents):
    run(documents)
    with pytest.raises(UserError, match="out: exists already; --force"):
        run(documents)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_words": 9, "max_words": 8}, "--min-words: must be from 1 up to --max-words"),
        ({"questions": 0}, "--questions: must be 1 or more"),
        ({"context_words": -1}, "--context-words: must be 0 or more"),
        ({"test_fraction": 0.5}, "--test-fraction: must be above 0 and below 0.5"),
        ({"near": 0.3}, "--near: must be a similarity from"),
        ({"near": float("nan")}, "--near: must be a similarity from"),
        ({"min_words": 200}, "no pairs in 6 documents"),
        ({"out": "pairs.csv"}, "must be a folder, or a file that ends in .jsonl"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(documents, options, said):
    with pytest.raises(UserError) as raised:
        run(documents, **options)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not Path("out").exists()


def test_the_command_line_hands_all_options_on(documents, monkeypatch, capsys):
    Path("dvc.yaml").touch()
    arguments = ["dataset", "from-docs", "handbook", "--out", "out", "--leave-out", "code",
                 "--shorten", "--max-words", "40", "--questions", "2", "--seed", "3"]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["finetune", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert json.loads(Path("out/documents.json").read_text())["documents"]
    monkeypatch.setattr("sys.argv", ["finetune", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "finetune: out: exists already; --force replaces what it writes there\n"
    )
