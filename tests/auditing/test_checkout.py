"""What of a revision is run, named and looked for in its checkout."""

import errno
import subprocess
from pathlib import Path

import pytest

from finetune.auditing import checkout, hashes
from finetune.auditing.checkout import Checkout
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import short_hash, write_json

TASK = "price"


@pytest.fixture
def there(tmp_path) -> Checkout:
    return Checkout("NAME", "0" * 40, tmp_path, {}, (TASK,), ())


def test_a_stage_imports_nothing_that_is_not_in_src(there):
    stages = there.root / "src/finetune/stages"
    stages.mkdir(parents=True)
    for folder in (stages.parent, stages):
        (folder / "__init__.py").touch()
    (stages / "clean.py").write_text("import sys\nassert sys.argv[1] == 'price'\n")
    (stages / "hidden.py").write_text("import beside\n")
    (there.root / "beside.py").touch()
    there.run("clean", TASK)
    with pytest.raises(UserError, match="its stage `hidden price` ended with 1"):
        there.run("hidden", TASK)


def test_code_and_stages_that_differ_from_head_are_named(tmp_path):
    def git(*words: str) -> str:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
        command = ["git", *who, *words]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    for text in ("one", "two"):
        for name in ("src/a.py", "dvc.yaml", "params.yaml"):
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        git("add", "-A")
        git("commit", "--quiet", "-m", text)
    before = git("rev-parse", "HEAD~").strip()
    assert checkout.changed_code(tmp_path, before) == ["dvc.yaml", "src/a.py"]
    assert checkout.changed_code(tmp_path, "HEAD") == []


@pytest.mark.parametrize(
    ("number", "is_missing"), [(errno.ENOENT, True), (errno.ENOSPC, False), (errno.EDQUOT, False)]
)
def test_a_full_disk_is_not_taken_for_a_file_that_is_in_no_cache(
    tmp_path, monkeypatch, number, is_missing
):
    class Files:
        def __init__(self, **_: object) -> None:
            pass

        def isdir(self, _: str) -> bool:
            return False

        def get(self, _: str, target: str, recursive: bool) -> None:
            assert not recursive
            Path(target).write_text("a part")
            raise OSError(number, "said")

    monkeypatch.setattr("dvc.api.DVCFileSystem", Files)
    if is_missing:
        assert checkout._get_outs(tmp_path, "HEAD", tmp_path, ["models/a"]) == ("models/a",)
        assert list((tmp_path / "models").iterdir()) == []
    else:
        with pytest.raises(OSError, match="said"):
            checkout._get_outs(tmp_path, "HEAD", tmp_path, ["models/a"])


def test_an_adapter_of_which_training_says_otherwise_or_that_is_gone_is_noticed(there):
    weights = there.root / paths.adapter(TASK) / paths.TRAINED[0]
    metrics = there.root / paths.metrics(TASK, "train")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    write_json(metrics, {TASK: {"train": {"adapter_hash": short_hash(weights)}}})
    assert hashes._is_of_adapter(there, TASK, metrics)
    weights.write_bytes(b"Weights")
    assert not hashes._is_of_adapter(there, TASK, metrics)
    weights.unlink()
    assert not hashes._is_of_adapter(there, TASK, metrics)


@pytest.mark.parametrize("name", ["weights/llama", "../llama"])
def test_a_base_model_that_is_not_in_git_is_linked(tmp_path, name):
    root, there = tmp_path / "here/repository", tmp_path / "temporary/repository"
    there.mkdir(parents=True)
    root.mkdir(parents=True)
    (root / name).mkdir(parents=True)
    (root / name / "weights").touch()
    checkout._link_base(root, "NAME", there, {"model": {"source": "local", "name": name}})
    assert (there / name / "weights").exists()


def test_nothing_is_linked_outside_the_temporary_folder(tmp_path):
    root, there = tmp_path / "a/b/repository", tmp_path / "c/temporary/repository"
    for folder in (root, there, tmp_path / "a/llama"):
        folder.mkdir(parents=True)
    model = {"source": "local", "name": "../../llama"}
    with pytest.raises(UserError, match=r"its base model …/llama is neither in the rep"):
        checkout._link_base(root, "NAME", there, {"model": model})
    assert [each.name for each in (tmp_path / "c").iterdir()] == ["temporary"]
