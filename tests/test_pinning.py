import shutil
from pathlib import Path

import pytest

from finetune import pinning
from finetune.core import hub
from finetune.core.errors import HubError, ParamsError
from finetune.core.params import read_yaml

ROOT = Path(__file__).parent.parent
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def root(tmp_path) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    return tmp_path


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """What the hub is asked for; it answers with one commit."""
    asked = []
    monkeypatch.setattr(hub, "current_commit", lambda *repo: asked.append(repo) or SHA)
    return asked


def test_a_pin_changes_the_revision_and_nothing_else_in_the_file(root, asked):
    model, task = root / "conf/model/qwen3-8b.yaml", root / "conf/task/samsum.yaml"
    before = model.read_text(), task.read_text()
    old = "b968826d9c46dd6066d109eabc6255188de91218"
    assert (
        pinning.pin(root, "model=qwen3-8b") == f"conf/model/qwen3-8b.yaml: revision: {old} → {SHA}"
    )
    assert pinning.pin(root, "data=samsum") == f"conf/task/samsum.yaml: revision: null → {SHA}"
    assert asked == [("Qwen/Qwen3-8B", "model"), ("knkarthick/samsum", "dataset")]
    assert model.read_text() == before[0].replace(old, SHA)
    assert task.read_text() == before[1].replace("revision: null", f"revision: {SHA}")


def test_data_sets_that_are_mixed_in_are_pinned_too_and_an_alias_once(root, asked):
    file = root / "conf/task/mine.yaml"
    file.write_text(
        "source:\n"
        "  mix:\n"
        "    one: {hub: &one {repo: a/one, revision: null}}\n"
        "    same: {hub: *one}\n"
        "    file: {files: {folder: x}}\n"
        "  hub:\n"
        "    repo: a/own\n"
        "    revision: null\n"
    )
    assert pinning.pin(root, "data=mine").splitlines() == [
        f"conf/task/mine.yaml: a/{name}: revision: null → {SHA}" for name in ("one", "own")
    ]
    source = read_yaml(file.read_text(), "x")["source"]
    assert source["hub"] == {"repo": "a/own", "revision": SHA}
    assert source["mix"]["one"]["hub"] == source["mix"]["same"]["hub"]
    assert source["mix"]["one"]["hub"] == {"repo": "a/one", "revision": SHA}


@pytest.mark.parametrize("value", ["null", "", "~", '"old"', "old"])
@pytest.mark.parametrize("sha", [SHA, "1" * 40, "1" * 20 + "e" + "1" * 19])
def test_a_pin_is_read_as_text_whatever_stood_there(root, monkeypatch, value, sha):
    monkeypatch.setattr(hub, "current_commit", lambda *_: sha)
    file = root / "conf/model/mine.yaml"
    file.write_text(f"name: a/b\nrevision: {value}".rstrip() + " # note\nsource: hub\n")
    pinning.pin(root, "model=mine")
    assert read_yaml(file.read_text(), "x") == {"name": "a/b", "revision": sha, "source": "hub"}
    assert " # note\n" in file.read_text()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("qwen3-8b", "pin: 'qwen3-8b' is neither model=NAME nor data=TASK"),
        ("model=", "pin: 'model=' is neither model=NAME nor data=TASK"),
        (
            "data=nope",
            "pin: no conf/task/nope.yaml; known: arithmetic, docs, instructions, price, pri",
        ),
        ("model=embedded", "conf/model/embedded.yaml: names nothing on the hub that could be pinn"),
        ("model=broken", "conf/model/broken.yaml: ParserError: "),
    ],
)
def test_what_cannot_be_pinned_is_one_line_and_asks_nobody(root, asked, what, said):
    (root / "conf/model/broken.yaml").write_text("name: [\n")
    with pytest.raises(ParamsError) as raised:
        pinning.pin(root, what)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)
    assert asked == []


def test_a_hub_that_does_not_answer_leaves_the_file_as_it_was(root, monkeypatch):
    def current_commit(*_):
        raise HubError("no network")

    monkeypatch.setattr(hub, "current_commit", current_commit)
    file = root / "conf/task/samsum.yaml"
    before = file.read_text()
    with pytest.raises(HubError, match="no network"):
        pinning.pin(root, "data=samsum")
    assert file.read_text() == before
