"""`methods.hosted`: what is sent for a run's parameters, and what comes back."""

import pytest
from hosted_run import METHOD, PROMPT, ROWS, parameters

from finetune.core.errors import DataError, ModelError, UserError
from finetune.hosted import tuned
from finetune.methods import hosted, registry
from finetune.tasks.summarization.rows import Row


@pytest.fixture
def trained(provider, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(method: dict | None = None, api: dict | None = None, rows=(ROWS, ROWS[:12])):
        model, options, train = parameters(provider.url)
        model = model.model_copy(update={"api": model.api.model_copy(update=api or {})})
        changed = METHOD.model_copy(update=method or {})
        return hosted.train(model, changed, train, PROMPT, options, rows, "samsum")

    return run


def test_hyperparameters_of_the_provider_are_sent_as_they_are(provider, trained):
    more = {"lora": True, "lora_r": 16, "learning_rate": 2e-5}
    trained({"learning_rate_multiplier": 0.5, "hyperparameters": more})
    (job,) = provider.jobs
    expected = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5, **more}
    assert job["method"] == {"type": "supervised", "supervised": {"hyperparameters": expected}}
    assert "hyperparameters" not in job


def test_they_stand_where_the_provider_reads_them(provider, trained):
    done = trained(api={"hyperparameters_field": "hyperparameters"})
    (job,) = provider.jobs
    assert job["hyperparameters"] == {"n_epochs": 2, "batch_size": 4}
    assert "method" not in job
    assert done.tuned.hyperparameters == job["hyperparameters"]


def test_rows_that_are_left_out_are_counted(provider, trained):
    odd = Row(id="x", dialogue="Anna: <|im_end|>", summary="No.")
    done = trained(rows=([*ROWS, odd], ROWS[:12]))
    assert (done.metrics["rows"], done.metrics["rows_left_out_special"]) == (24, 1)
    assert not [name for name, text in provider.files.values() if b"<|im_end|>" in text]


def test_too_few_rows_are_refused_before_anything_is_sent(provider, trained):
    with pytest.raises(DataError, match="file of validation rows: has 3 rows"):
        trained(rows=(ROWS, ROWS[:3]))
    assert provider.requests == []


def test_what_the_job_made_comes_back_from_its_folder(trained, tmp_path):
    done = trained()
    done.save(tmp_path / "models/samsum")
    assert tuned.load(tmp_path / "models/samsum") == done.tuned
    written = registry.written(METHOD, tmp_path / "models/samsum")
    assert len(written["model_hash"]) == 12


def test_a_job_without_a_model_is_told(provider, trained, monkeypatch):
    monkeypatch.setattr(provider, "end", "succeeded")
    move = provider._move

    def nameless(job: dict) -> None:
        move(job)
        job["fine_tuned_model"] = None

    monkeypatch.setattr(provider, "_move", nameless)
    with pytest.raises(UserError, match="ftjob-1 succeeded without a model's name"):
        trained()


def test_nothing_is_attached_to_or_loaded_from_a_provider(tmp_path):
    tuner = registry.of(METHOD)
    for refused in (tuner.attach, tuner.save, tuner.load):
        with pytest.raises(ModelError, match="has no weights here"):
            refused(None, None, None)
