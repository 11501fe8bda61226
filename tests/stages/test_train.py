import pytest

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json, read_jsonl, sha256
from finetune.stages import predict, train


def test_several_processes_of_one_run_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    with pytest.raises(UserError, match=r"WORLD_SIZE is above 1: .* one queue worker each"):
        train.run(None, "samsum")


METHODS = [
    {"quantization": "nf4"},
    {"quantization": "int8"},
    {"tuner": "prefix", "virtual_tokens": 4},
    {"tuner": "full"},
]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_what_any_method_trains_is_written_and_predicts(declared, method):
    train.run(declared(method), "samsum")
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    (key,) = {"adapter_hash", "model_hash"} & metrics.keys()
    assert metrics[key] == sha256(paths.trained_weights("samsum"))[:12]
    size = sum(file.stat().st_size for file in paths.adapter("samsum").iterdir())
    assert metrics["size_mb"] == pytest.approx(size / 10**6, abs=1e-3)
    assert metrics["trainable_parameters"] > 0
    predict.run(declared(method), "samsum")
    # The loss of the completions, which training saw as inference does.
    rows = read_jsonl(paths.predictions("samsum", "tuned", "validation"))
    nll, tokens = (sum(row[name] for row in rows) for name in ("reference_nll", "reference_tokens"))
    assert nll / tokens == pytest.approx(metrics["validation_loss"], rel=1e-3)


def test_it_writes_an_adapter_curves_and_metrics_and_leaves_no_checkpoint(declared, tmp_path):
    train.run(declared(), "samsum")
    assert (paths.adapter("samsum") / "adapter_model.safetensors").is_file()
    assert {file.stem for file in paths.curves("samsum").iterdir()} == {
        "train_loss", "validation_loss", "learning_rate",
    }  # fmt: skip
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    assert metrics["prompts_truncated"] == 0
    assert metrics["validation_loss"] > 0
    assert len(metrics["adapter_hash"]) == 12
    assert metrics["run"]["token_budget"] > 0
    assert not [file for file in (tmp_path / ".runstate").glob("train-samsum-*") if file.is_dir()]
