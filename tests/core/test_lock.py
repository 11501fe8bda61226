"""A dvc.lock that DVC did not write so: one line, never an error of Python's."""

from pathlib import Path

import pytest

from finetune.comparing import runs
from finetune.core import lock
from finetune.core.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: [1]", "dvc.lock: stages is [1], must be sections; `git checkout dvc.lock`"),
        ("stages: {a: b}", "dvc.lock: stages.a is 'b', must be a section; `git checkout"),
        ("stages: {a: {outs: 3}}", "dvc.lock: stages.a.outs is 3, must be a list of paths with"),
        ("stages: {a: {outs: [3]}}", "dvc.lock: stages.a.outs is [3], must be a list of paths"),
        ("stages: {a: {outs: [{md5: x}]}}", "dvc.lock: stages.a.outs is [{'md5': 'x'}], must be"),
        ("stages: {a: {deps: [{path: 3}]}}", "dvc.lock: stages.a.deps is [{'path': 3}], must be"),
        (
            "stages: {a: {deps: [{path: x, md5: 1}]}}",
            "dvc.lock: stages.a.deps is [{'path': 'x', 'md5': 1}], must be a list of paths",
        ),
        ("stages: {a: {params: {params.yaml: 3}}}", "dvc.lock: stages.a.params is {'params.yaml'"),
        ("[]", "dvc.lock: holds no sections"),
        ("x: !!int abc", "dvc.lock: line 1: 'abc' cannot be read as int"),
        ("<<<<<<< HEAD", "dvc.lock: line 1: a conflict of Git"),
    ],
)
def test_what_dvc_does_not_write_is_one_line(text, said):
    with pytest.raises(UserError) as raised:
        lock.stages(text, "dvc.lock")
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("text", ["", "schema: '2.0'", "stages:", "stages: {}"])
def test_a_lock_without_stages_has_none(text):
    assert lock.stages(text, "dvc.lock") == {}


def test_the_committed_one_is_read():
    assert "fetch@samsum" in lock.stages((ROOT / "dvc.lock").read_text(), "dvc.lock")


def test_a_comparison_says_so_too(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "dvc.lock").write_text("stages: {train@samsum: 3}")
    with pytest.raises(UserError, match=r"dvc.lock of workspace: stages.train@samsum is 3, must"):
        runs.read(tmp_path, "workspace")
