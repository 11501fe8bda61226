from pathlib import Path

import pytest

from finetune.files import write_json


@pytest.fixture
def folder(tmp_path) -> Path:
    """Metric files of a task `chats`, as the stages write them."""

    rouges = ("rouge1", "rouge2", "rougeL", "rougeLsum")

    def scores(points: float, **more: object) -> dict:
        interval = {name: {"low": points - 1, "high": points + 1.25} for name in rouges}
        return {**dict.fromkeys(rouges, points), "n": 300, **more, "interval": interval}

    gain = {name: {"mean": 20.114, "low": -0.5, "high": 21.5} for name in rouges}
    counts = {
        "train": {"rows": 1500, "kept": 1490},
        "test": {"rows": 300, "found_x": 7, "kept": 300},
    }
    trained = {"validation_loss": 1.25, "steps": 282, "run": {"seconds": 60.5, "device": "cpu"}}
    files = {
        "data": {"data": counts},
        "ladder": {"ladder": {"lead3": scores(30.0), "longest3": scores(31.0)}},
        "base": {"base": scores(20.0, prompt_truncated=3, empty=11)},
        "train": {"train": trained},
        "tuned": {**scores(40.125, prompt_truncated=3, hit_length_cap=2), "gain": gain},
    }
    for name, metrics in files.items():
        write_json(tmp_path / "chats" / f"{name}.json", {"chats": metrics})
    return tmp_path
