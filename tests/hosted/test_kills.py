"""`kill -9` in different phases, and the same command again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from finetune.core.files import read_json

SCRIPT = Path(__file__).parents[1] / "hosted_run.py"


def start(provider, folder: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(SCRIPT), provider.url], cwd=folder)


def test_a_run_that_is_killed_four_times_makes_one_job_and_one_set_of_answers(provider, tmp_path):
    provider.chat_seconds = 0.005
    # The request after which it is killed, carried out and not answered yet, and its number.
    for path, number in (
        ("POST files", 1),  # uploaded, and nothing of it noted here
        ("POST fine_tuning/jobs", 1),  # the job is there, and its id is not known here
        ("GET fine_tuning/jobs/ftjob-1", 1),  # while the job runs
        ("POST chat/completions", 10),  # with answers on disk and on their way
    ):
        running = start(provider, tmp_path)
        count = 0

        def kill(request: str, path=path, number=number, running=running) -> None:
            nonlocal count
            count += request == path
            if request == path and count == number:
                os.kill(running.pid, signal.SIGKILL)
                running.wait()

        provider.carried_out = kill
        assert running.wait(timeout=30) == -signal.SIGKILL
        assert not (tmp_path / "answers.txt").exists()
    provider.carried_out = lambda _: None
    asked_before = len(provider.chats)
    assert start(provider, tmp_path).wait(timeout=30) == 0
    assert len(provider.jobs) == 1
    assert provider.counts["POST fine_tuning/jobs"] == 1
    made = read_json(tmp_path / "models/samsum/hosted.json")
    assert (made["job"], made["trained_tokens"]) == ("ftjob-1", 4321)
    # Only those that were on their way, as many as are asked for at once, are asked for again.
    assert len(provider.chats) - asked_before < 24
    assert len(provider.chats) <= 24 + 3
    answers = (tmp_path / "answers.txt").read_text().splitlines()
    assert len(set(answers)) == 24
    assert all(answer.startswith("Tuned") for answer in answers)
