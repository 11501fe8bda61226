import hashlib
import logging

import pytest
from fake_provider import failing, limited

from finetune.core.errors import UserError
from finetune.core.interrupts import Interrupted
from finetune.hosted import jobs
from finetune.hosted.client import ApiError, Unreachable
from finetune.hosted.jobs import Order

RUN = hashlib.sha256(b"a run").hexdigest()[:32]
ORDER = Order(
    RUN,
    {"model": "small-1", "seed": 1, "suffix": jobs.suffix("samsum", RUN)},
    {"training_file": b"{}\n", "validation_file": b"{}\n"},
)
CREATE = "POST fine_tuning/jobs"


@pytest.fixture
def trained(client, tmp_path):
    (tmp_path / "state").mkdir()

    def run(order: Order = ORDER) -> jobs.Done:
        return jobs.trained(client, order, tmp_path / "state", 0.01, "train samsum")

    return run


def test_a_job_is_created_watched_and_its_metrics_are_in_order(provider, trained):
    done = trained()
    assert done.job["fine_tuned_model"].startswith("ft:small-1:org:samsum-")
    assert done.job["metadata"] == {jobs.METADATA: RUN}
    assert [event["data"]["step"] for event in done.events] == [1, 2]
    assert jobs.history(done.events) == [
        {"step": 1, "loss": 2.0, "eval_loss": 2.5}, {"step": 2, "loss": 1.0, "eval_loss": 1.25},
    ]  # fmt: skip
    names = [name for name, _ in provider.files.values()]
    assert names == [f"{RUN[:16]}-training_file.jsonl", f"{RUN[:16]}-validation_file.jsonl"]


def test_the_same_run_has_the_same_job_also_when_all_is_lost_here(provider, trained, tmp_path):
    first = trained().job
    (tmp_path / "state" / jobs.STATE).unlink()
    assert trained().job["id"] == first["id"]
    assert provider.counts[CREATE] == 1


def test_it_is_found_by_the_models_name_where_there_is_no_metadata(provider, trained):
    first = trained().job
    for job in provider.jobs:
        del job["metadata"], job["suffix"]
    assert trained().job["id"] == first["id"]


def test_it_is_found_by_its_file_where_nothing_else_is_kept(provider, trained, client):
    provider.trouble(CREATE, "drop")
    client.max_retries = 0
    with pytest.raises(Unreachable):
        trained()
    for job in provider.jobs:
        del job["metadata"], job["suffix"]
    assert trained().job["id"] == "ftjob-1"
    assert len(provider.jobs) == 1


def test_another_run_has_another_job_on_a_later_page(provider, trained):
    others = [hashlib.sha256(bytes([n])).hexdigest()[:32] for n in range(5)]
    for run in others:
        trained(Order(run, {**ORDER.body, "suffix": jobs.suffix("samsum", run)}, ORDER.files))
    assert len(provider.jobs) == 5
    first = Order(others[0], {**ORDER.body, "suffix": "samsum-x"}, ORDER.files)
    assert trained(first).job["id"] == "ftjob-1"
    assert len(provider.jobs) == 5


@pytest.mark.parametrize("trouble", ["drop", failing(502), limited()])
def test_a_request_to_create_that_is_not_answered_creates_one_job(provider, trained, trouble):
    provider.trouble(CREATE, trouble)
    assert trained().job["status"] == "succeeded"
    assert len(provider.jobs) == 1


def test_a_list_that_lags_behind_is_read_again(provider, trained, client, tmp_path, monkeypatch):
    provider.trouble(CREATE, "drop")
    client.max_retries = 0
    with pytest.raises(Unreachable, match="looks for it before it creates one"):
        trained()
    provider.hidden_lists = 2
    trained()
    assert len(provider.jobs) == 1


def test_a_job_that_fails_says_why_and_the_next_run_starts_another(provider, trained):
    provider.end = "failed"
    with pytest.raises(UserError, match=r"ftjob-1 failed \(invalid_file: line 3 is odd\)"):
        trained()
    provider.end = "succeeded"
    assert trained().job["id"] == "ftjob-2"


def test_what_the_provider_refuses_is_told_and_asked_for_no_more(provider, trained):
    error = {"error": {"message": "Model small-1 cannot be tuned", "code": "model_not_available"}}
    provider.trouble(CREATE, (400, error, {}))
    with pytest.raises(ApiError, match="Model small-1 cannot be tuned"):
        trained()
    assert provider.counts[CREATE] == 1


def test_files_are_uploaded_once(provider, trained):
    provider.trouble(CREATE, (400, {"error": {"message": "No.", "code": "no"}}, {}))
    with pytest.raises(ApiError):
        trained()
    trained()
    assert provider.counts["POST files"] == 2


def test_events_without_ids_are_shown_as_they_come(provider, trained, caplog):
    get = provider.get

    def nameless(path: str, query: dict) -> dict | None:
        answer = get(path, query)
        if path.endswith("/events"):
            events = next(job["events"] for job in provider.jobs)[::-1]
            without = [{k: v for k, v in event.items() if k != "id"} for event in events]
            # It has no pages either, and says that there are more.
            return {"data": without, "has_more": True}
        return answer

    provider.get = nameless
    with caplog.at_level(logging.INFO, logger="finetune.hosted.jobs"):
        done = trained()
    lines = [record.message for record in caplog.records]
    assert sum("step" in line for line in lines) == 2
    assert lines.count("train samsum: The job has successfully completed") == 1
    assert len(done.events) == 2


def test_a_list_that_gives_the_same_page_again_ends(provider, trained):
    trained()
    get = provider.get

    def same(path: str, query: dict) -> dict | None:
        answer = get(path, {} if path == "fine_tuning/jobs" else query)
        return {**answer, "has_more": True} if path == "fine_tuning/jobs" else answer

    provider.get = same
    another = Order("0" * 32, {**ORDER.body, "suffix": "samsum-0"}, ORDER.files)
    assert trained(another).job["id"] == "ftjob-2"


def test_limits_while_it_is_watched_are_waited_for(provider, trained):
    provider.trouble("GET fine_tuning/jobs/ftjob-1", limited(), failing(500))
    provider.trouble("GET fine_tuning/jobs/ftjob-1/events", failing(504))
    assert trained().job["status"] == "succeeded"


def test_ctrl_c_says_that_the_job_runs_on(provider, trained, client, monkeypatch):
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "wait", interrupted)
    with pytest.raises(Interrupted, match=r"ftjob-1 runs on at 127.0.0.1; the same command waits"):
        trained()
    monkeypatch.undo()


def test_events_are_shown_once_with_the_time_to_go(provider, trained, caplog):
    provider.looks_until_done = 5
    with caplog.at_level(logging.INFO, logger="finetune.hosted.jobs"):
        trained()
    lines = [record.message for record in caplog.records]
    steps = [line for line in lines if "step" in line]
    assert len(steps) == len(set(steps)) == 4
    assert steps[0] == "train samsum: step 1 of 4, train loss 2.000, valid loss 2.500"
    assert "train samsum: The job has successfully completed" in lines
    assert lines.count("train samsum: running") == lines.count("train samsum: succeeded") == 1
    assert lines[0] == "train samsum: no job of this run yet"
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="finetune.hosted.jobs"):
        trained()
    assert caplog.records[0].message == "train samsum: found its job again"


def test_the_time_to_go_is_the_providers_or_by_the_steps_so_far():
    def event(step: int, at: float) -> dict:
        return {"type": "metrics", "created_at": at, "data": {"step": step, "total_steps": 10}}

    progress = jobs.Progress()
    assert progress.line(event(1, 100), {}, 100) == "step 1 of 10"
    assert progress.line(event(4, 130), {}, 130) == "step 4 of 10, about 1.0 min to go"
    finish = {"estimated_finish": 430}
    assert progress.line(event(5, 130), finish, 130) == "step 5 of 10, about 5.0 min to go"
    assert progress.line({"type": "message", "message": "a\nb"}, {}, 0) == "a b"


def test_suffixes_are_short_and_of_plain_letters():
    assert jobs.suffix("my_tickets", RUN) == f"my-tickets-{RUN[:12]}"
    assert len(jobs.suffix("x" * 99, RUN)) <= 64
