"""What is not published, each with one line that says why."""

from pathlib import Path

import pytest
import yaml

from finetune.composition import compose
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import write_json, write_jsonl
from finetune.publishing import command, leakage, licences
from finetune.publishing.command import Options

ROOT = Path(__file__).parents[2]
WORDS = "The quokka of Jarmila ate all of the marzipan in the zeppelin"


def test_metrics_of_another_adapter(published, edited):
    edited("train", "samsum", "train", adapter_hash="0" * 12)
    with pytest.raises(UserError, match=r"train.json is of another adapter than models/samsum"):
        published()


def test_metrics_of_other_predictions(published, edited):
    edited("tuned", "samsum", predictions_hash="0" * 12)
    with pytest.raises(UserError, match=r"tuned.json is of other predictions"):
        published()


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("CC BY 4.0", True),
        ("Apache-2.0 (the authors)", True),
        ("CC BY-NC-ND 4.0, research use (SAMSum, Gliwa et al. 2019)", False),
        ("Amazon product descriptions, gathered for research; no open licence", False),
        ("not stated", False),
        ("MITRE", False),
        ("CC BY 4.0 (NonCommercial)", False),
        ("MIT, for academics and researchers", False),
        ("CC BY 4.0, for research use only", False),
        ("MIT (not for commercial use)", False),
    ],
)
def test_a_licence_that_does_not_plainly_allow_it(published, licence, allowed):
    assert licences.is_open(licence) == allowed
    write_json(paths.raw("samsum") / "source.json", {"source": "files", "licence": licence})
    if allowed:
        published()
        return
    with pytest.raises(
        UserError, match=r"does not plainly allow .* says so with --i-have-the-right"
    ):
        published()
    published(has_right=True)


def test_a_source_that_is_mixed_in_has_a_licence_too(published):
    mixed = {"more": {"source": "files", "licence": "CC BY-NC 4.0", "weight": 1.0, "splits": {}}}
    origin = {"source": "files", "licence": "MIT", "mix": mixed}
    write_json(paths.raw("samsum") / "source.json", origin)
    with pytest.raises(UserError, match=r"samsum: the data's licence \(CC BY-NC 4\.0\) does not"):
        published()


def test_an_adapter_of_a_folder_needs_the_name_of_its_base(published):
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["model"] |= {"name": "/home/me/base", "source": "local", "revision": None}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"…/base is a folder here") as raised:
        published()
    assert "/home/me" not in str(raised.value)
    assert published(base_model="owner/base").base_model == "owner/base"


def test_an_export_of_another_adapter(published):
    write_json(Path("out") / "export.json", {"samsum": {"forms": {"int8": {"adapter_hash": "0"}}}})
    with pytest.raises(UserError, match="--export out: is of another adapter"):
        published(export=Path("out"))


def test_an_export_that_was_scored_on_a_few_rows(published, exported):
    with pytest.raises(UserError, match="was scored on 8 of 200 test rows; export it again"):
        published(export=exported(n=8))


def test_an_export_whose_weights_are_not_those_that_were_scored(published, exported):
    out = exported()
    assert published(export=out).exports
    (out / "model.safetensors").write_bytes(b"WEIGHTS")
    with pytest.raises(UserError, match=r"its weights are not those that export.json has"):
        published(export=out)


def test_an_adapter_that_was_scored_on_the_base_beside_it(published, exported):
    out = exported("adapter_dequantized")
    (out / "base").mkdir()
    with pytest.raises(UserError, match="scored on the base in out/base, not on owner/base"):
        published(export=out)
    assert published(export=out, base_model="owner/rounded").base_model == "owner/rounded"


def test_a_model_at_its_provider(published):
    Path("params.yaml").write_text(compose(ROOT, ["model=hosted", "method=hosted"]))
    with pytest.raises(UserError, match=r"samsum: was tuned at its provider"):
        published()


@pytest.mark.parametrize(
    "text",
    [
        f"For example: {WORDS}",
        WORDS.upper().replace(" ", "\n"),
        "- quokka of Jarmila ate all of the marzipan",
    ],
)
def test_a_text_of_the_data(published, tmp_path, text):
    published()
    file = tmp_path / "note.json"
    write_json(file, {"examples": [text]})
    with pytest.raises(UserError, match=r"note.json: holds a text of the data \(train row 1\)"):
        leakage.check("samsum", [file])


def test_a_text_in_a_script_without_blanks(published, tmp_path):
    row = {"id": "7", "dialogue": "昨日は東京で友達と一緒に寿司を食べました。", "summary": "寿司。"}
    write_jsonl(paths.prepared("samsum") / "test.jsonl", [row])
    file = tmp_path / "README.md"
    file.write_text("例えば、友達と一緒に寿司を食べました", encoding="utf-8")
    with pytest.raises(UserError, match=r"holds a text of the data \(test row 7\)"):
        leakage.check("samsum", [file])


def test_the_vocabulary_of_the_base_is_no_leak(published, tmp_path):
    published()
    file = tmp_path / "tokenizer.json"
    write_json(file, {"model": {"vocab": {WORDS: 1}}, "added_tokens": []})
    leakage.check("samsum", [file])
    write_json(file, {"model": {}, "added_tokens": [{"content": WORDS}]})
    with pytest.raises(UserError, match=r"tokenizer.json: holds a text"):
        leakage.check("samsum", [file])


def test_a_row_that_was_not_drawn(published, tmp_path):
    row = {"place": "row 1", "id": "9", "dialogue": "Nobody drew this row of the data for training"}
    write_jsonl(paths.raw("samsum") / "train.jsonl", [row])
    file = tmp_path / "README.md"
    file.write_text("As in: nobody drew this row of the data for it.")
    with pytest.raises(UserError, match=r"train row 9"):
        leakage.check("samsum", [file])


def test_single_words_and_short_texts_are_no_leak(published, tmp_path):
    published()
    file = tmp_path / "README.md"
    file.write_text("Marzipan is gone. The quokka of Jarmila ate all, said Tom.")
    leakage.check("samsum", [file])


@pytest.mark.parametrize("repo", ["name", "/home/me/name", "owner/name/more", "owner/na me"])
def test_what_is_no_repository(workspace, repo):
    with pytest.raises(UserError, match="is no repository of the hub, such as OWNER/NAME"):
        command.run(workspace, "samsum", Options(repo))


def test_a_card_alone_is_printed_and_nothing_uploaded(workspace, capsys):
    assert command.run(workspace, "samsum", Options("owner/name", is_dry=True)) == 0
    assert capsys.readouterr().out.startswith("---\nbase_model: owner/base")


@pytest.mark.parametrize("shared", [{"mix": {"price": 1.0}}, {"adapter_of": "price"}], ids=str)
def test_the_data_of_every_task_that_an_adapter_was_trained_on_counts(workspace, published, shared):
    file = Path("params.yaml")
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    train = values["tasks"]["samsum"]["train"]
    train |= shared
    if "mix" in shared:
        of = values["tasks"]["price"]
        others = {"price": {"kind": of["kind"], "prompt": of["prompt"]}}
        train["mixed"] = {"data": "data/prepared", "code": "src/finetune/tasks", "tasks": others}
    else:
        train["mixed"]["data"] = "models/price"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(UserError, match=r"data/raw/price/source.json: not there"):
        published()
    write_json(paths.raw("price") / "source.json", {"source": "files", "licence": "CC BY-NC 4.0"})
    with pytest.raises(UserError, match=r"price: the data's licence \(CC BY-NC 4.0\) does not"):
        published()
