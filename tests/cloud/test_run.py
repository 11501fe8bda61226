"""cloud/run.sh: a run on boxes of which the first vanishes in the midst of it."""

import json
import time
from pathlib import Path

import pytest
import yaml
from cloud_world import Box, World
from pipeline_clone import Clone

pytestmark = pytest.mark.slow
NAME = "quick-price"
# Of the quick experiment, of which a test session has a whole run; saved at each step.
OPTIONS = ("-S", "experiment=quick", "-S", "~tasks.samsum", "-S", "run.save_steps=1")
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


def test_what_a_box_that_vanished_had_saved_is_not_computed_again(world, tmp_path_factory):
    first = Box(world, "first")
    running = first.start(NAME, *OPTIONS)
    deadline = time.monotonic() + SECONDS
    while not [step for step in steps_saved(world) if step >= 2]:
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    first.vanish(running)
    saved = steps_saved(world)[-1]
    assert 2 <= saved < 4
    assert not world.experiments()

    second = Box(world, "second")
    code, said = second.run(NAME, *OPTIONS)
    assert code == 0, said
    assert second.down.exists()
    assert trained(second.work)["run"]["resumed_at_step"] == saved
    answered = json.loads((second.work / "metrics/price/predict_base.json").read_text())
    assert answered["price"]["base"]["run"]["resumed_rows"] > 0
    # Once, and nothing is left to resume from.
    assert world.experiments() == [NAME]
    assert world.run_states() == []
    whole = Clone.of_quick(tmp_path_factory)
    for stage in ("base", "train", "predict"):
        assert outs(second.work, stage) == outs(whole.folder, stage), stage

    third = Box(world, "third")
    code, said = third.run(NAME, *OPTIONS)
    assert code == 0, said
    assert "has arrived already: nothing to run" in said
    assert world.experiments() == [NAME]
