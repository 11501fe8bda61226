import hashlib
import json

import pytest
import yaml

from finetune.comparing import runs
from finetune.core.errors import UserError

KIND = {"kind": "price"}
ROWS = [{"id": "1", "prediction": 5.0, "reference": 6.0}]


@pytest.fixture
def workspace(tmp_path):
    """Writes a workspace: parameters, predictions by path, and what the lock says of them."""

    def write(params: dict, files: dict[str, list[dict]]):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        outs = []
        for path, rows in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
            outs.append({"path": path, "md5": hashlib.md5(file.read_bytes()).hexdigest()})
        lock = {"stages": {"evaluate@goods": {"cmd": "x", "outs": outs}}}
        (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
        return tmp_path

    return write


def later(section: str) -> dict[str, object]:
    """Parameters of training that runs of earlier versions do not have."""
    values = {"patience": None, "select_by": "loss", "keep_checkpoints": False,
              "mix": {}, "adapter_of": None}  # fmt: skip
    return {f"{section}.{name}": value for name, value in values.items()}


def test_a_run_is_its_parameters_kinds_and_scored_predictions(workspace):
    params = {"tasks": {"goods": {**KIND, "train": {"seed": 1}}}, "run": {"workers": 2}}
    root = workspace(params, {"predictions/goods/scored/tuned.jsonl": ROWS})
    run = runs.read(root, runs.WORKSPACE)
    assert run.kinds == {"goods": "price"}
    assert run.predictions == {"goods": ROWS}
    assert run.params == {
        "tasks.goods.kind": "price", "tasks.goods.train.seed": 1, **later("tasks.goods.train"),
    }  # fmt: skip


def test_a_run_of_before_scoring_was_a_stage_is_read_with_its_parameters_renamed(workspace):
    params = {
        "tasks": {"goods": {**KIND, "ladder": ["mean"], "score": {"hit_share": 0.2}}},
        "train": {"evaluations": 4, "seed": 1},
    }
    root = workspace(params, {"predictions/goods/tuned.jsonl": ROWS})
    run = runs.read(root, runs.WORKSPACE)
    assert run.predictions == {"goods": ROWS}
    assert run.params == {
        "tasks.goods.kind": "price",
        "tasks.goods.baselines": ["mean"],
        "tasks.goods.score.hit_fraction": 0.2,
        "train.num_evals": 4,
        "train.seed": 1,
        "tasks.goods.train.num_evals": 4,
        "tasks.goods.train.seed": 1,
        **later("train"),
        **later("tasks.goods.train"),
    }


def test_parameters_that_were_added_since_have_their_defaults(workspace):
    params = {"tasks": {"goods": KIND}, "lora": {"r": 8}, "method": {"quantization": "nf4"}}
    root = workspace(params, {"predictions/goods/tuned.jsonl": ROWS})
    known = runs.read(root, runs.WORKSPACE).params
    assert known["lora.r"] == 8
    assert (known["lora.dora"], known["lora.init"]) == (False, "kaiming")
    assert (known["method.tuner"], known["method.quantization"]) == ("lora", "nf4")
    assert "lora.alpha" not in known  # it never had one


def test_a_run_of_before_currencies_is_read_as_one_of_the_default(workspace):
    task = {**KIND, "prompt": {"cue": "Price is $"}, "score": {"hit_usd": 40.0}}
    root = workspace({"tasks": {"goods": task}}, {"predictions/goods/tuned.jsonl": ROWS})
    known = runs.read(root, runs.WORKSPACE).params
    later = {key: value for key, value in known.items() if ".prompt." in key or ".score." in key}
    # As they stand in params.yaml: 1 and 1.0 would be a difference of two runs.
    assert repr(later) == repr(
        {
            "tasks.goods.prompt.truncate": "end",
            "tasks.goods.prompt.answer.currency": "USD",
            "tasks.goods.prompt.answer.unit": 1,
            "tasks.goods.prompt.answer.maximum": 999,
            "tasks.goods.prompt.cue": "Price is $",
            "tasks.goods.score.hit_within": 40.0,
        }
    )


def test_a_run_that_is_not_scored_yet_is_refused(workspace):
    root = workspace(
        {"tasks": {"goods": KIND}},
        {f"predictions/goods/{folder}tuned.jsonl": ROWS for folder in ("", "validation/")},
    )
    with pytest.raises(UserError, match="workspace: predictions of goods are not scored yet"):
        runs.read(root, runs.WORKSPACE)


def test_a_run_of_before_truncated_rows_were_refused_has_the_default():
    assert runs._completed({"data.seed": 7}, {})["data.max_truncated"] == 0.05


def test_a_default_that_is_made_anew_is_no_difference():
    completed = runs._completed({"method.tuner": "lora"}, {})
    assert completed["method.hyperparameters"] == {}
    assert "PydanticUndefined" not in map(str, completed.values())


def test_an_adapter_that_another_task_takes_is_no_difference_in_code():
    def stages(adapter: str) -> dict[str, dict]:
        taken = [{"path": "src/finetune/training", "md5": "c"}]
        return {
            "train@samsum": {"deps": taken, "outs": [{"path": "models/samsum", "md5": adapter}]},
            "train@price": {
                "deps": [*taken, {"path": "models/samsum", "md5": adapter}],
                "outs": [{"path": "models/price", "md5": adapter}],
            },
            "predict@price": {"deps": [{"path": "models/price", "md5": adapter},
                                       {"path": "models/embedded", "md5": "b"}]},
        }  # fmt: skip

    tasks = ["samsum", "price"]
    assert runs._code(stages("a"), tasks) == runs._code(stages("b"), tasks)
    base = {"deps": [{"path": "models/embedded", "md5": "other"}]}
    with_base, without = {"train@samsum": base}, {"train@samsum": {"deps": []}}
    assert runs._code(with_base, tasks) != runs._code(without, tasks)


def test_stages_of_tasks_that_a_run_has_not_are_no_difference_in_code():
    own = {"train@samsum": {"deps": [{"path": "src/finetune/training", "md5": "c"}]}}
    left = {"train@other": {"deps": [{"path": "src/finetune/training", "md5": "d"}]}}
    assert runs._code({**own, **left}, ["samsum"]) == runs._code(own, ["samsum"])
