"""The stages that use a model, with one behind an API: from prepared rows to scores."""

import copy
import logging
import shutil
from pathlib import Path

import pytest
import yaml
from fake_provider import KEY, failing, limited
from hosted_run import VARIABLE
from planted import MARK, holding, plant

from finetune.composition import compose
from finetune.core import params, paths
from finetune.core.errors import ModelError, ParamsError
from finetune.core.files import read_json, read_jsonl, write_json, write_jsonl
from finetune.core.interrupts import Interrupted
from finetune.hosted import jobs
from finetune.hosted.answers import Store
from finetune.hosted.client import ApiError
from finetune.stages import base, evaluate, predict, train

ROOT = Path(__file__).parents[2]
DIALOGUES = [
    {"id": str(n), "dialogue": f"Anna: Is it {n}?\nTom: Yes, it is.", "summary": f"It is {n}."}
    for n in range(12)
]
PRODUCTS = [
    {"id": str(n), "text": f"A lamp of {n} watts", "price": 10.0 * n, "category": None}
    for n in range(1, 13)
]
ROWS = {"samsum": DIALOGUES, "price": PRODUCTS}


@pytest.fixture
def declared(provider, tmp_path, monkeypatch):
    """Gives the parameters of a stage against the provider, in a folder with a few rows."""
    values = yaml.safe_load(compose(ROOT, ["model=hosted", "method=hosted"]))
    values["model"]["api"] |= {"base_url": provider.url, "key_variable": VARIABLE}
    values["bootstrap"]["resamples"] = 100
    values["run"]["hosted"] |= {"concurrency": 4, "poll_seconds": 0.01, "max_retries": 3}
    values["run"]["hosted_prices"] |= {"tuned_input": 1.0, "tuned_output": 2.0, "training": 3.0}
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    for task, rows in ROWS.items():
        for split in paths.SPLITS:
            write_jsonl(paths.prepared(task) / f"{split}.jsonl", rows)
        write_json(paths.prepared(task) / "clusters.json", {})

    def made(stage: str, task: str = "samsum", **changed: dict) -> params.StageParams:
        chosen = copy.deepcopy(values)
        for section, entries in changed.items():
            chosen[section] |= entries
        Path("params.yaml").write_text(yaml.safe_dump(chosen), encoding="utf-8")
        return params.for_stage(stage, task)

    return made


@pytest.fixture
def whole(declared):
    """Runs all stages of a task that use a model, and those that score it."""

    def run(task: str = "samsum", **changed: dict) -> None:
        for stage in (base, train, predict):
            name = stage.__name__.rpartition(".")[2]
            stage.run(declared(name, task, **changed), task)
        evaluate.run("base", declared("evaluate_base", task, **changed), task)
        evaluate.run("tuned", declared("evaluate", task, **changed), task)

    return run


def metrics(name: str, task: str = "samsum") -> dict:
    return read_json(paths.metrics(task, name))[task]


def test_summaries_are_scored_and_what_needs_likelihoods_is_left_out(provider, whole):
    whole()
    tuned = metrics("tuned")
    assert {"rouge1", "rougeL", "length_ratio", "gain"} <= tuned.keys()
    assert "perplexity" not in tuned
    assert tuned["forgetting"] == {}
    assert tuned["gain"]["rouge1"]["n"] == 12
    row = read_jsonl(paths.predictions("samsum", "tuned"))[3]
    assert row["prediction"].startswith("Tuned")
    assert (row["reference"], row["empty"], row["refused"]) == ("It is 3.", False, False)
    assert "reference_nll" not in row
    assert read_jsonl(paths.general("samsum", "tuned")) == []
    drawn = [row.get("draw", 0) for row in read_jsonl(paths.predictions("samsum", "few_shot"))]
    assert drawn == [k for k in range(3) for _ in range(12)]
    shots = next(chat for chat in provider.chats if len(chat["messages"]) > 1)
    assert [message["role"] for message in shots["messages"]] == [
        "user", "assistant", "user", "assistant", "user",
    ]  # fmt: skip


def test_the_outs_name_model_job_and_trained_tokens(provider, whole):
    whole()
    made = read_json(paths.trained_weights("samsum"))
    assert made["fine_tuned_model"].startswith("ft:gpt-4.1-nano-2025-04-14:org:samsum-")
    assert (made["job"], made["trained_tokens"], made["base_url"]) == (
        "ftjob-1", 4321, provider.url,
    )  # fmt: skip
    (job,) = provider.jobs
    asked = job["method"]["supervised"]["hyperparameters"]
    assert asked == made["hyperparameters"] == {"n_epochs": 2, "batch_size": 16}
    assert job["seed"] == 1
    trained = metrics("train")["train"]
    assert (trained["rows"], trained["trained_tokens"], trained["validation_loss"]) == (
        12, 4321, 1.25,
    )  # fmt: skip
    assert trained["estimated_tokens"] > 0
    estimate = round(trained["estimated_tokens"] * 3e-6, 4)
    assert trained["run"] == {
        "provider": "127.0.0.1", "minutes": 2.0, "estimated_usd": estimate, "usd": 0.013,
    }  # fmt: skip
    assert len(trained["model_hash"]) == 12
    assert len((paths.curves("samsum") / "train_loss.tsv").read_text().splitlines()) == 3
    assert paths.hardware_curves("samsum").is_dir()


def test_tokens_and_cost_of_answers_are_in_the_metrics(provider, whole):
    whole()
    run = metrics("predict_base")["predict_base"]["run"]
    assert run["answers"] == run["requests"] == 12 * 4  # few-shot answers of three draws
    assert (run["input_tokens"], run["output_tokens"]) == (4800, 480)
    assert run["usd"] == pytest.approx(4800 * 0.1e-6 + 480 * 0.4e-6)
    assert metrics("predict")["predict"]["run"]["usd"] == pytest.approx(12 * 120e-6)


def test_prices_are_read_from_texts(provider, whole):
    said = {"3": "It costs about $30.", "4": "I cannot say.", "5": "50"}

    def answer(body: dict) -> dict:
        number = body["messages"][-1]["content"].split(" watts")[0].split()[-1]
        return {"content": said.get(number, f"${10 * int(number)}")}

    provider.answer = answer
    whole("price", run={"max_usd": 1.0})
    rows = read_jsonl(paths.predictions("price", "tuned"))
    assert [row["prediction"] for row in rows[2:5]] == [30.0, 65.0, 50.0]  # the median of train
    assert [row["unparsable"] for row in rows[2:5]] == [False, True, False]
    assert rows[3]["answer"] == "I cannot say."
    scores = metrics("tuned", "price")
    # One of twelve is more than score.max_no_answer: no score in its place.
    assert "mae" not in scores
    assert scores["unparsable"] == 1
    said["4"] = "$44"
    whole("price")
    scores = metrics("tuned", "price")
    assert scores["mae"] == pytest.approx(4 / 12, abs=1e-3)
    assert not {"crps", "crps_charged", "coverage_50", "outside", "estimates"} & scores.keys()


def test_refusals_and_empty_answers_are_counted(provider, whole):
    def answer(body: dict) -> dict:
        text = body["messages"][-1]["content"]
        if "Is it 3?" in text:
            return {"refusal": "I cannot help with that."}
        return {"content": "" if "Is it 4?" in text else "It is so."}

    provider.answer = answer
    whole()
    tuned = metrics("tuned")
    assert (tuned["refused"], tuned["empty"], tuned["no_answer"]) == (1, 1, 2)


def test_a_provider_that_limits_and_fails_loses_no_row(provider, whole):
    for path in ("POST chat/completions", "POST files", "GET fine_tuning/jobs"):
        provider.trouble(path, limited(), failing())
    provider.trouble("POST fine_tuning/jobs", "drop")
    whole()
    assert len(provider.jobs) == 1
    assert metrics("tuned")["n"] == 12
    assert metrics("predict_base")["predict_base"]["run"]["retries"] == 2


def test_a_run_that_costs_too_much_is_refused_before_the_upload(provider, declared):
    cheap = {"max_usd": 0.0001}
    with pytest.raises(ParamsError, match=r"run.max_usd: is 0.0001, and training samsum may cost"):
        train.run(declared("train", run=cheap), "samsum")
    assert provider.counts == {"GET fine_tuning/jobs": 1}
    with pytest.raises(ParamsError, match=r"run.max_usd: is 0.0001, and base samsum validation"):
        base.run(declared("base", run=cheap), "samsum")
    assert provider.chats == []


def test_a_job_that_is_there_costs_nothing_again(provider, declared):
    train.run(declared("train"), "samsum")
    shutil.rmtree("models")
    shutil.rmtree(".runstate")
    train.run(declared("train", run={"max_usd": 0.0}), "samsum")
    assert len(provider.jobs) == 1
    assert len(provider.files) == 2


def test_another_seed_is_another_job(provider, declared):
    train.run(declared("train"), "samsum")
    tasks = yaml.safe_load(Path("params.yaml").read_text())["tasks"]
    tasks["samsum"]["train"]["seed"] = 2
    train.run(declared("train", tasks=tasks), "samsum")
    assert [job["seed"] for job in provider.jobs] == [1, 2]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("epochs", 1.5, r"train.epochs: is 1.5; a provider trains whole epochs"),
        ("max_steps", 5, r"train.max_steps: is 5, and with method=hosted must be null"),
        ("keep_checkpoints", True, r"train.keep_checkpoints: is True, .* must be false"),
    ],
)
def test_what_a_provider_is_not_asked_for_is_refused(provider, declared, name, value, said):
    declared("train")
    tasks = yaml.safe_load(Path("params.yaml").read_text())["tasks"]
    tasks["samsum"]["train"][name] = value
    with pytest.raises(ParamsError, match=said):
        train.run(declared("train", tasks=tasks), "samsum")
    assert provider.requests == []


def test_ctrl_c_keeps_the_answers(provider, declared, monkeypatch):
    add, added = Store.add, []

    def interrupt(*arguments: object) -> None:
        add(*arguments)
        added.append(1)
        if len(added) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", interrupt)
        with pytest.raises(Interrupted, match=r"\d+ answers are kept; the same command asks for"):
            base.run(declared("base"), "samsum")
    asked = len(provider.chats)
    assert 5 <= asked < 12
    base.run(declared("base"), "samsum")
    assert len(provider.chats) == 12 * 4
    assert metrics("predict_base")["predict_base"]["run"]["resumed_rows"] == asked


def test_a_model_that_is_not_tuned_here_is_refused_in_a_line(provider, declared):
    method = yaml.safe_load(compose(ROOT, []))["method"]
    base.run(declared("base", method=method), "samsum")
    with pytest.raises(ModelError, match=r"is behind an API .*-S model=hosted -S method=hosted"):
        train.run(declared("train", method=method), "samsum")
    with pytest.raises(ModelError, match=r"models/samsum: holds no hosted.json"):
        predict.run(declared("predict"), "samsum")


def test_the_key_stands_in_nothing_that_is_written_or_said(
    provider, whole, tmp_path, caplog, capfd, monkeypatch
):
    plant(monkeypatch)
    provider.trouble("POST chat/completions", limited(), failing())
    with caplog.at_level(logging.DEBUG):
        whole()
        echoed = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
        provider.jobs.clear()
        provider.trouble("POST fine_tuning/jobs", (401, echoed, {}))
        with pytest.raises(ApiError, match=f"refuses the key in {VARIABLE}") as raised:
            whole()
    said = caplog.text + str(raised.value) + "".join(capfd.readouterr())
    # What a killed run leaves is searched too.
    state = list(Path(".runstate").rglob(jobs.STATE))
    written = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert state
    assert {"train.json", "tuned.jsonl", "hosted.json", "params.yaml"} <= written
    # It was sent, and to the provider alone.
    assert {headers["Authorization"] for headers in provider.headers} == {f"Bearer {KEY}"}
    sent = str([provider.chats, provider.jobs, list(provider.files.values())])
    for key in (KEY, MARK):
        assert key not in said
        assert holding(tmp_path, key) == []
        assert key not in sent
