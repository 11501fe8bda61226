import pytest

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json
from finetune.stages import train


def test_several_processes_of_one_run_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    with pytest.raises(UserError, match=r"WORLD_SIZE is above 1: .* one queue worker each"):
        train.run(None, "samsum")


def test_it_writes_an_adapter_curves_and_metrics_and_leaves_no_checkpoint(declared, tmp_path):
    train.run(declared(), "samsum")
    assert (paths.adapter("samsum") / "adapter_model.safetensors").is_file()
    assert {file.stem for file in paths.curves("samsum").iterdir()} == {
        "train_loss", "validation_loss", "learning_rate", "gradient_norm",
    }  # fmt: skip
    machine = {file.stem for file in paths.hardware_curves("samsum").iterdir()}
    assert machine == {"tokens_per_second", "memory_gb"}
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    assert metrics["prompts_truncated"] == 0
    assert metrics["validation_loss"] > 0
    assert len(metrics["adapter_hash"]) == 12
    assert metrics["run"]["token_budget"] > 0
    assert not [file for file in (tmp_path / ".runstate").glob("samsum-*") if file.is_dir()]
