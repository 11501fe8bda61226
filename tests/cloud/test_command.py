"""`finetune remote`: the commands that it prints, and what is to be done before them."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from finetune.cloud import command, launchers
from finetune.core.errors import UserError
from finetune.planning import machines

ROOT = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A repository with this configuration, and an origin that has its commit."""
    folder = tmp_path_factory.mktemp("made")
    here = folder / "here"
    shutil.copytree(ROOT / "conf", here / "conf")
    shutil.copytree(ROOT / "models/embedded", here / "models/embedded")
    (here / ".dvc").mkdir()
    (here / ".dvc/config").write_text(
        "[core]\n    remote = s\n['remote \"s\"']\n    url = s3://bucket/folder\n"
    )
    git(folder, "init", "--quiet", "--bare", "origin.git")
    git(here, "init", "--quiet")
    git(here, "config", "user.name", "Test")
    git(here, "config", "user.email", "test@example.com")
    git(here, "add", "-A")
    git(here, "commit", "--quiet", "-m", "All")
    git(here, "remote", "add", "origin", str(folder / "origin.git"))
    git(here, "push", "--quiet", "--set-upstream", "origin", "HEAD")
    git(here, "remote", "set-url", "origin", "git@example.com:owner/name.git")
    return here


@pytest.fixture
def here(made, monkeypatch) -> Path:
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def printed(here, capsys, monkeypatch):
    """What the command prints after the plan, which is tested with `finetune plan`."""
    monkeypatch.setattr(command, "print_plan", lambda *_: True)

    def run(*overrides: str, gpu: str = "l40s", gpus: int = 1, experiment: str = "t4") -> str:
        assert command.run(here, experiment, overrides, gpu, gpus, None) == 0
        return capsys.readouterr().out

    return run


def block(text: str, title: str) -> list[str]:
    """The words of the command below a title."""
    (found,) = [part for part in text.split("\n\n") if part.startswith(title)]
    return shlex.split(found.partition("\n")[2].replace("\\\n", " "))


def test_the_plan_and_its_cost_come_first(here, capsys):
    overrides = ["data=embedded", "model=embedded", "run.usd_per_hour=2"]
    assert command.run(here, "quick", overrides, "h100", 1, "mine") == 0
    said = capsys.readouterr().out
    assert said.startswith("models/embedded on H100\n")
    assert said.index(" USD") < said.index("SkyPilot")
    assert said.endswith("on this machine:\n  finetune review mine\n")


def test_each_way_runs_the_same_commit_name_and_options(printed):
    said = printed("lora.r=8", "tasks.samsum.prompt.instruction='Say it, briefly.'")
    sky = block(said, "SkyPilot")
    assert sky[:3] == ["sky", "jobs", "launch"]
    assert sky[-1] == "cloud/sky.yaml"
    environment = dict(sky[at + 1].split("=", 1) for at, word in enumerate(sky) if word == "--env")
    words = shlex.split(environment["OPTIONS"])
    for title in ("RunPod", "Any box"):
        box = block(said, title)
        at = box.index("cloud/box.sh")
        settings = dict(word.split("=", 1) for word in box[: at - 1])
        assert settings["REPO"] == environment["REPO"] == "https://example.com/owner/name.git"
        assert settings["REV"] == environment["REV"]
        assert settings["SHUTDOWN"]
        assert box[at + 2] == environment["NAME"]
        assert box[at + 3 :] == words
    assert words == [
        "-S", "experiment=t4", "-S", "lora.r=8",
        "-S", "tasks.samsum.prompt.instruction='Say it, briefly.'",
    ]  # fmt: skip


def test_the_same_run_has_the_same_name_and_another_one_another():
    assert command._name("t4", []) == command._name("t4", ["run.usd_per_hour=2"]) == "t4"
    assert command._name("t4", ["lora.r=8"]) == command._name("t4", ["lora.r=8"])
    assert command._name("t4", ["lora.r=8"]) != command._name("t4", ["lora.r=16"])


def test_a_sweep_goes_to_the_queue(printed):
    said = printed("lora.r=8,16", gpus=2)
    assert "the first of 2 runs, 2 at a time" in said
    box = block(said, "Any box")
    assert box[box.index("cloud/box.sh") + 3] == "--queue"
    name = box[box.index("cloud/box.sh") + 2]
    assert said.endswith(f"  finetune review {name}-1\n  finetune review {name}-2\n")
    assert "GPUs" not in said


def test_secrets_are_named_as_the_run_needs_them(printed, monkeypatch):
    for name in ("GIT_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "planted-secret")
    said = printed()
    storage = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    sky = block(said, "SkyPilot")
    secrets = [sky[at + 1] for at, word in enumerate(sky) if word == "--secret"]
    assert secrets == ["GIT_TOKEN", "HF_TOKEN", *storage]
    assert "planted-secret" not in said
    assert "HF_TOKEN" not in printed(experiment="quick")


@pytest.mark.parametrize(
    ("url", "cloned"),
    [
        ("git@example.com:owner/name.git", "https://example.com/owner/name.git"),
        ("example.com:/owner/name.git", "https://example.com/owner/name.git"),
        ("ssh://git@example.com:2222/owner/name.git", "https://example.com/owner/name.git"),
        ("https://me:token@example.com:8443/name.git", "https://example.com:8443/name.git"),
        ("https://example.com/owner/name", "https://example.com/owner/name"),
        ("/srv/name.git", "URL"),
        ("file:///srv/name.git", "URL"),
    ],
)
def test_a_box_clones_by_https_without_a_token(tmp_path, url, cloned):
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "remote", "add", "origin", url)
    assert command._repo(tmp_path) == cloned


def test_what_is_to_be_done_first_is_said(printed, here, tmp_path):
    assert printed().count("First: ") == 1  # export …
    (here / "conf/config.yaml").write_text((here / "conf/config.yaml").read_text() + "# more\n")
    try:
        assert "First: commit what is changed here" in printed()
        git(here, "commit", "--quiet", "-am", "More")
        assert "First: git push origin HEAD" in printed()
        assert "this run uses 1 of 4 GPUs: -S run.processes=4" in printed(gpus=4)
    finally:
        git(here, "reset", "--quiet", "--hard", "@{upstream}")


def test_what_no_box_reaches_is_said_with_what_to_do(printed, here, tmp_path):
    git(here, "remote", "set-url", "origin", str(tmp_path))
    config, committed = here / ".dvc/config", (here / ".dvc/config").read_text()
    try:
        config.write_text(committed.replace("s3://bucket/folder", "/srv/store"))
        said = printed()
        assert f"First: git remote set-url origin URL, and git push origin HEAD: {tmp_path}" in said
        assert "First: dvc remote modify s url URL, and commit .dvc/config: /srv/store is" in said
        assert "REPO=URL " in said
        config.write_text("")
        assert "First: dvc remote add --default storage URL" in printed()
        (here / ".dvc/config.local").write_text(committed)
        said = printed()
        assert "First: dvc remote add --default s URL, and commit .dvc/config: the DVC" in said
        assert "AWS_ACCESS_KEY_ID" in said
    finally:
        (here / ".dvc/config.local").unlink(missing_ok=True)
        git(here, "checkout", "--quiet", ".dvc")
        git(here, "remote", "set-url", "origin", "git@example.com:owner/name.git")


def test_an_unknown_preset_and_a_missing_origin_are_one_line(here, tmp_path):
    with pytest.raises(UserError, match=r"nine: no such preset in conf/experiment; known: .*quick"):
        command.run(here, "nine", [], "h100", 1, None)
    git(tmp_path, "init", "--quiet")
    with pytest.raises(UserError, match="no Git remote `origin`"):
        command._repo(tmp_path)


def test_every_gpu_of_the_plan_has_a_name_at_skypilot():
    assert set(launchers.GPUS) == set(machines.GPUS)
