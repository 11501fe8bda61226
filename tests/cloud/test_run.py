"""cloud/run.sh: a run on boxes of which the first vanishes in the midst of it."""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cloud_world import Box, World
from pipeline_clone import Clone

pytestmark = pytest.mark.long
NAME = "quick-price"
# Of the quick experiment, of which a test session has a whole run; saved at each step.
OPTIONS = ("-S", "experiment=quick", "-S", "~tasks.samsum", "-S", "run.save_steps=1")
STEPS = 4
ROWS = 156  # of validation and test without and with examples, and of general text
# Not to be found in this file, which a clone has too.
SECRETS = {name: secrets.token_hex(16) for name in ("GIT_TOKEN", "HF_TOKEN")}
SECONDS = 240.0


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("world")
    return World(folder, Clone(folder / "laptop"))


def steps_saved(world: World) -> list[int]:
    """The steps of the whole checkpoints in the storage."""
    manifests = (world.storage / "runstate").glob("train-price-*/checkpoint-*/manifest.json")
    return sorted(int(manifest.parent.name.partition("-")[2]) for manifest in manifests)


def trained(folder: Path) -> dict:
    return json.loads((folder / "metrics/price/train.json").read_text())["price"]["train"]


def outs(folder: Path, stage: str) -> dict[str, str]:
    """The hashes of a stage's outs that are not the machine's."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    found = {out["path"]: out["md5"] for out in lock["stages"][f"{stage}@price"]["outs"]}
    return {
        path: md5 for path, md5 in found.items() if not path.startswith(("hardware", "metrics"))
    }


@pytest.fixture
def broken(world, request) -> Iterator[tuple[World, str]]:
    """The world with a commit that names no DVC remote, or with one that takes nothing."""
    if request.param == "there is no DVC remote":
        world.laptop.dvc("remote", "remove", "storage")
        world.laptop.git("commit", "--quiet", "-am", "No remote")
        world.laptop.git("push", "--quiet", "origin", "HEAD:refs/heads/without")
        yield world, "without"
        return
    world.storage.rename(world.folder / "aside")
    world.storage.write_text("a file where a folder is expected")
    yield world, "main"
    world.storage.unlink()
    (world.folder / "aside").rename(world.storage)


REASONS = ("there is no DVC remote", "DVC's remote cannot be written")


@pytest.mark.parametrize(("broken", "why"), zip(REASONS, REASONS, strict=True), indirect=["broken"])
def test_a_dvc_remote_that_cannot_take_it_is_noticed_before_the_run(broken, why):
    world, branch = broken
    box = Box(world, branch)
    code, said = box.run(NAME, *OPTIONS, REV=branch)
    assert code == 1
    assert not box.down.exists()
    (line,) = said.splitlines()
    assert line.startswith(f"run.sh: nothing was run, as it could not be pushed: finetune: {why}")


def written(world: World, box: Box) -> bytes:
    """All that a box has written: its disk, the storage, and what is at the Git remote."""
    folders = (box.home, world.storage, world.git)
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    # Git's own files are compressed.
    listed = ["git", "rev-list", "--objects", "--all", "--no-object-names"]
    names = subprocess.run(listed, cwd=world.git, capture_output=True, check=True).stdout
    shown = ["git", "cat-file", "--batch"]
    objects = subprocess.run(shown, cwd=world.git, input=names, capture_output=True, check=True)
    return b"".join(file.read_bytes() for file in files) + objects.stdout


def test_a_box_that_vanishes_costs_what_it_had_not_saved(world, tmp_path_factory):
    first = Box(world, "first")
    running = first.start(NAME, *OPTIONS)
    deadline = time.monotonic() + SECONDS
    while not [step for step in steps_saved(world) if step >= 2]:
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    first.vanish(running)
    saved = steps_saved(world)[-1]
    assert 2 <= saved < STEPS
    assert not world.experiments()

    second = Box(world, "second")
    code, said = second.run(NAME, *OPTIONS, **SECRETS)
    assert code == 0, said
    assert second.down.exists()
    # No step is trained twice, and no row is answered twice.
    assert trained(second.work)["run"]["resumed_at_step"] == saved
    answered = json.loads((second.work / "metrics/price/predict_base.json").read_text())
    (run,) = [split["run"] for split in answered["price"].values()]
    assert run["resumed_rows"] == ROWS
    # Once, and nothing is left to resume from.
    assert world.experiments() == [NAME]
    assert world.run_states() == []
    # What a run that was not killed gave, bit for bit.
    whole = Clone.of_quick(tmp_path_factory)
    for stage in ("base", "train", "predict"):
        assert outs(second.work, stage) == outs(whole.folder, stage), stage
    everything = written(world, second) + said.encode()
    assert [name for name, secret in SECRETS.items() if secret.encode() in everything] == []

    # A box too many runs nothing.
    third = Box(world, "third")
    code, said = third.run(NAME, *OPTIONS)
    assert code == 0, said
    assert "has arrived already: nothing to run" in said
    assert world.experiments() == [NAME]
    _check_a_push_that_fails(world, second)


def _check_a_push_that_fails(world: World, box: Box) -> None:
    """At the end of a run: one line, and the box stays on."""
    (ref,) = world.git_output("for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    world.git_output("update-ref", "-d", ref)
    hook = world.git / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho this repository is read-only; exit 1\n")
    hook.chmod(0o755)
    box.down.unlink()
    code, said = box.run(NAME, *OPTIONS)
    assert code == 1
    assert not box.down.exists()
    assert world.experiments() == []
    (line,) = [line for line in said.splitlines() if line.startswith("run.sh: ")]
    assert line == said.splitlines()[-1]
    assert f"{NAME}: not pushed: git push: remote: this repository is read-only" in line
    assert f"its work is in {box.work}: then give the same command again" in line
