"""Adapters from the hub, through its own client and a stand-in of the hub."""

import os
import subprocess
import sys

import pytest
from fake_hub import serving

from finetune.core.errors import ModelError, UserError
from finetune.core.files import write_json
from finetune.core.schema import Model
from finetune.predicting import adapters

WEIGHTS = "adapter_model.safetensors"
FILES = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"w", "model.bin": b"code"}
SCRIPT = "import sys; from finetune.predicting import adapters; print(adapters.fetch(sys.argv[1]))"


def fetched(hub, home, name: str) -> subprocess.CompletedProcess:
    """In a process of its own: the client reads its environment when it is imported."""
    environment = {**os.environ, **hub.environment(home)}
    command = [sys.executable, "-c", SCRIPT, name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_revision_is_fetched_without_what_runs_code(tmp_path):
    with serving() as hub:
        sha = hub.commit("models", "owner/name", FILES)
        hub.commit("models", "owner/name", {"adapter_config.json": b"[]"})
        done = fetched(hub, tmp_path / "home", f"owner/name@{sha}")
        assert done.returncode == 0, done.stderr
        assert sorted(os.listdir(done.stdout.strip())) == [  # noqa: PTH208
            "adapter_config.json", "adapter_model.safetensors",
        ]  # fmt: skip
        missing = fetched(hub, tmp_path / "home", "owner/name@" + "f" * 40)
        assert "has no such commit on the hub" in missing.stderr


@pytest.mark.parametrize(
    "name", ["owner/name", "owner/name@main", "name@v1", "owner/name@", "/home/me@v1"]
)
def test_a_revision_must_be_named(name):
    with pytest.raises(UserError, match="is no folder here, and no OWNER/NAME@REVISION"):
        adapters.fetch(name)


def test_an_adapter_of_another_base_is_refused(tmp_path):
    config = {"base_model_name_or_path": "owner/other", "revision": "b" * 40}
    write_json(tmp_path / adapters.CONFIG, config)
    (tmp_path / "adapter_model.safetensors").touch()
    model = Model(name="owner/base", source="hub", revision=None, watch="")
    with pytest.raises(ModelError, match=r"is of owner/other, and model.name is owner/base"):
        adapters.check(tmp_path, "owner/name@v1", model, WEIGHTS)
    model = model.model_copy(update={"name": "owner/other", "revision": "c" * 40})
    with pytest.raises(ModelError, match=r"at b{40}, and model.revision is c{40}"):
        adapters.check(tmp_path, "owner/name@v1", model, WEIGHTS)
    same = model.model_copy(update={"revision": "b" * 40})
    adapters.check(tmp_path, "owner/name@v1", same, WEIGHTS)


def test_what_is_no_adapter_is_refused(tmp_path):
    (tmp_path / "model.safetensors").touch()
    model = Model(name="models/base", source="local", revision=None, watch="")
    with pytest.raises(
        ModelError,
        match=r"--adapter: owner/name@v1 holds no adapter_model.safetensors, which this "
        r"method.tuner makes, but model.safetensors; other exports",
    ):
        adapters.check(tmp_path, "owner/name@v1", model, WEIGHTS)
    for name in "abcdef":
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=r"but a, b, c, d, e and 2 more;"):
        adapters.check(tmp_path, str(tmp_path), model, WEIGHTS)
