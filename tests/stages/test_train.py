import shutil
import sys

import pytest

from finetune.core import paths
from finetune.core.errors import DataError, ModelError, ParamsError, UserError
from finetune.core.files import read_json, read_jsonl, read_tsv, sha256, write_jsonl
from finetune.methods import adapters
from finetune.modeling import truncation
from finetune.stages import base, predict, train


def test_processes_that_another_launcher_started_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    with pytest.raises(UserError, match=r"WORLD_SIZE is above 1: .* run.processes: N"):
        train.run(None, "samsum")


METHODS = [
    {"quantization": "nf4"},
    {"quantization": "int8"},
    {"tuner": "prefix", "virtual_tokens": 4},
    {"tuner": "full"},
]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_what_any_method_trains_is_written_and_predicts(declared, method):
    train.run(declared(method=method), "samsum")
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    (key,) = {"adapter_hash", "model_hash"} & metrics.keys()
    assert metrics[key] == sha256(paths.trained_weights("samsum"))[:12]
    size = sum(file.stat().st_size for file in paths.adapter("samsum").iterdir())
    assert metrics["size_mb"] == pytest.approx(size / 10**6, abs=1e-3)
    assert metrics["trainable_parameters"] > 0
    predict.run(declared(method=method), "samsum")
    # The loss of the completions, which training saw as inference does.
    rows = read_jsonl(paths.predictions("samsum", "tuned", "validation"))
    nll, tokens = (sum(row[name] for row in rows) for name in ("reference_nll", "reference_tokens"))
    assert nll / tokens == pytest.approx(metrics["validation_loss"], rel=1e-3)


def test_a_number_head_answers_with_prices_and_is_refused_for_texts(declared):
    method = {"tuner": "regression_head"}
    with pytest.raises(ParamsError, match=r"method\.tuner: .* answers of samsum are texts: take"):
        declared(method=method)
    train.run(declared(method=method, name="price"), "price")
    metrics = read_json(paths.metrics("price", "train"))["price"]["train"]
    assert metrics["head"] == "number"
    predict.run(declared(method=method, name="price"), "price")
    rows = read_jsonl(paths.predictions("price", "tuned"))
    assert len({row["prediction"] for row in rows}) > 1
    assert {row["outside"] for row in rows} == {0.0}
    assert {row["unparsable"] for row in rows} == {False}
    # It still has its output layer, which general text is scored with.
    assert read_jsonl(paths.general("price", "tuned"))


def test_the_expected_error_of_whole_prices_is_trained_and_validated(declared, digits_model):
    losses = {}
    for form in ("auto", "prices"):
        options = {"number_loss_form": form, "max_steps": 2, "num_evals": 1}
        params = declared(options, name="price", model=str(digits_model), lora={"dropout": 0.1})
        train.run(params, "price")
        metrics = read_json(paths.metrics("price", "train"))["price"]["train"]
        losses[form] = metrics["validation_loss"], metrics["adapter_hash"]
    # An error of some hundred USD, twice in hundreds, over three or four tokens of a price.
    assert losses["prices"][0] > losses["auto"][0] + 0.1
    assert losses["prices"][1] != losses["auto"][1]


def test_trees_are_refused_where_a_method_does_not_take_their_masks(declared, digits_model):
    method = {"tuner": "prefix", "virtual_tokens": 4}
    options = {"number_loss_form": "prices"}
    params = declared(options, method=method, name="price", model=str(digits_model))
    with pytest.raises(ModelError, match="set it to digits or auto"):
        train.run(params, "price")


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
    assert not [file for file in (tmp_path / ".runstate").glob("train-samsum-*") if file.is_dir()]


def test_rows_encoded_as_steps_ask_for_them_give_the_same_adapter(declared, monkeypatch):
    options = {"max_steps": 2, "num_evals": 1, "batch_size": 2}
    of_all, of_some = (_trained_by(declared, options, monkeypatch, many) for many in (6, 3))
    assert of_some["adapter_hash"] == of_all["adapter_hash"]
    assert "counted_rows" not in of_all
    assert 0 < of_some["counted_rows"] <= 6


def _trained_by(declared, options, monkeypatch, rows: int) -> dict:
    """The metrics of a run to which more than so many rows are many."""
    monkeypatch.setattr(truncation, "ALL_ROWS", rows)
    monkeypatch.setattr(truncation, "SAMPLE", 1)
    train.run(declared(options, token_budget=512), "samsum")
    return read_json(paths.metrics("samsum", "train"))["samsum"]["train"]


@pytest.mark.parametrize("stage", [base, train])
def test_too_many_truncated_prompts_are_one_line_before_anything_is_computed(declared, stage):
    for split in paths.SPLITS:
        file = paths.prepared("samsum") / f"{split}.jsonl"
        write_jsonl(file, [{**row, "dialogue": "Ann: word " * 999} for row in read_jsonl(file)])
    with pytest.raises(DataError, match=r"^samsum: \d of \d prompts of \w+ rows are truncated"):
        stage.run(declared(), "samsum")
    assert not paths.adapter("samsum").exists()
    assert not paths.predictions("samsum", "base").exists()


def test_choosing_by_loss_imports_nothing_that_scores(declared, monkeypatch):
    # dvc.yaml does not declare it then: an import would make DVC take stale outs for current ones.
    monkeypatch.setitem(sys.modules, "finetune.training.selection", None)
    train.run(declared({"max_steps": 1}), "samsum")
    with pytest.raises(ImportError):
        train.run(declared({"max_steps": 1, "select_by": "score"}), "samsum")


def test_the_adapter_of_the_best_score_on_validation_rows_is_kept(declared, monkeypatch):
    monkeypatch.setattr("finetune.training.selection.is_silent", lambda *_: False)
    options = {"max_steps": 2, "num_evals": 2, "batch_size": 3, "select_by": "score"}
    train.run(declared(options), "samsum")
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    curve = read_tsv(paths.curves("samsum") / "validation_score.tsv")
    scores = {int(row["step"]): float(row["validation_score"]) for row in curve}
    assert metrics["selected_by"] == "score"
    assert metrics["validation_score"] == round(max(scores.values()), 4)
    assert scores[metrics["best_step"]] == max(scores.values())


def test_a_model_that_does_not_answer_is_chosen_by_loss(declared, monkeypatch, caplog):
    monkeypatch.setattr("finetune.training.selection.is_silent", lambda *_: True)
    options = {"max_steps": 2, "num_evals": 2, "batch_size": 3, "select_by": "score"}
    train.run(declared(options), "samsum")
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    assert metrics["selected_by"] == "loss"
    assert "no evaluation gave a score" in caplog.text


def test_adapters_of_evaluations_are_kept_beside_the_best_one(declared, load, tiny_model):
    options = {"max_steps": 4, "num_evals": 2, "batch_size": 3, "keep_checkpoints": True}
    train.run(declared(options), "samsum")
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    kept = paths.adapter("samsum") / paths.CHECKPOINTS
    assert sorted(folder.name for folder in kept.iterdir()) == ["2", "4"]
    best = paths.checkpoint("samsum", metrics["best_step"]) / adapters.WEIGHTS
    assert best.read_bytes() == (paths.adapter("samsum") / adapters.WEIGHTS).read_bytes()
    adapters.load(load(tiny_model).model, paths.adapter("samsum"))


def test_one_adapter_is_trained_on_several_tasks_and_taken_by_another(declared):
    options = {"max_steps": 2, "num_evals": 1}
    train.run(declared(options), "samsum")
    alone = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    train.run(declared({**options, "mix": {"price": 1.0}}), "samsum")
    mixed = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    assert mixed["mix"] == {"price": 1.0}
    assert mixed["adapter_hash"] != alone["adapter_hash"]
    assert mixed["validation_loss"] != alone["validation_loss"]
    train.run(declared({"adapter_of": "samsum"}, name="price"), "price")
    taken = read_json(paths.metrics("price", "train"))["price"]["train"]
    assert taken == {"adapter_of": "samsum", **mixed, "run": {}}
    for folder in (paths.adapter, paths.curves, paths.hardware_curves):
        names = {file.name for file in folder("samsum").iterdir()}
        assert {file.name for file in folder("price").iterdir()} == names
    predict.run(declared(name="price"), "price")
    assert len(read_jsonl(paths.predictions("price", "tuned"))) == 6


def test_a_mixture_resumes_only_with_the_same_rows_of_all_its_tasks(declared, monkeypatch):
    identities = []
    original = train.runstate.folder

    def folder(stage, task, identity):
        identities.append(identity)
        return original(stage, task, identity)

    monkeypatch.setattr(train.runstate, "folder", folder)
    options = {"max_steps": 1, "num_evals": 1, "mix": {"price": 1.0}}
    for rows in (6, 5):
        file = paths.prepared("price") / "train.jsonl"
        write_jsonl(file, read_jsonl(file)[:rows])
        train.run(declared(options), "samsum")
    before, after = identities
    assert before["data"] != after["data"]
    assert {**before, "data": None} == {**after, "data": None}


def test_the_least_memory_of_all_processes_is_what_steps_are_split_for(declared, monkeypatch):
    monkeypatch.setattr(train, "least_available_on", lambda device, limit: 10**6)
    with pytest.raises(ModelError, match=r"the longest row has \d+ tokens, .*; 0\.0 GB are free"):
        train.run(declared(), "samsum")


def test_a_tracker_that_is_not_installed_is_told_before_the_model_is_loaded(declared, monkeypatch):
    monkeypatch.setattr(train.base_model, "load", lambda *_: pytest.fail("was loaded"))
    with pytest.raises(ParamsError, match="pip install swanlab"):
        train.run(declared(report_to=["swanlab"]), "samsum")


def test_a_run_that_ends_before_its_metrics_are_written_resumes(declared, monkeypatch):
    options = {"max_steps": 2, "num_evals": 2, "batch_size": 3, "keep_checkpoints": True}
    with monkeypatch.context() as patch:
        patch.setattr(train.methods, "written", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.run(declared(options), "samsum")
    train.run(declared(options), "samsum")
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    assert metrics["run"]["resumed_at_step"] == 2
    kept = paths.adapter("samsum") / paths.CHECKPOINTS
    assert sorted(folder.name for folder in kept.iterdir()) == ["1", "2"]


def interrupt(*_):
    raise KeyboardInterrupt


def use_remote(tmp_path, monkeypatch):
    """A DVC remote. Under DVC the run state is absolute; the Trainer is told a relative path."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = ../remote\n"
    )


def test_training_that_has_ended_is_not_repeated_on_the_next_machine(
    declared, tmp_path, monkeypatch
):
    use_remote(tmp_path, monkeypatch)
    options = {"max_steps": 2, "num_evals": 1, "batch_size": 3}
    hashes = []
    for resumed_at in (0, 2):
        train.run(declared(options, push_state="until_pushed"), "samsum")
        metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
        assert metrics["run"]["resumed_at_step"] == resumed_at
        hashes.append(metrics["adapter_hash"])
        shutil.rmtree(tmp_path / ".runstate")  # the machine is gone, in predict
    assert hashes[0] == hashes[1]


def test_what_training_saves_is_pushed_while_it_goes_on(declared, tmp_path, monkeypatch):
    use_remote(tmp_path, monkeypatch)
    options = {"max_steps": 2, "num_evals": 1, "batch_size": 3}
    with monkeypatch.context() as patch:
        patch.setattr(train.methods, "written", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.run(declared(options, push_state=True), "samsum")
    pushed = {file.parent.name for file in (tmp_path / "remote").rglob("manifest.json")}
    assert pushed == {"checkpoint-2"}
    shutil.rmtree(tmp_path / ".runstate")  # the machine is gone
    train.run(declared(options, push_state=True), "samsum")
    metrics = read_json(paths.metrics("samsum", "train"))["samsum"]["train"]
    assert metrics["run"]["resumed_at_step"] == 2
    assert not list((tmp_path / "remote").rglob("manifest.json"))
