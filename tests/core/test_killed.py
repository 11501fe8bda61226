import json
import platform
import subprocess
import sys

import pytest

from finetune.core import killed, processes


@pytest.fixture(autouse=True)
def root(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(killed, "oom_kills", lambda: 3)
    return tmp_path


def died(root, oom_kills=3, **values) -> None:
    """Leaves the note of a stage whose process was killed."""
    note = {
        "stage": "train@price",
        "host": platform.node(),
        "pid": 2**22 + 1,
        "started": 1.0,
        "oom_kills": oom_kills,
    }
    file = root / ".runstate/running/train@price-1.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(note | values))


def test_a_stage_that_ends_by_itself_leaves_nothing(root):
    with killed.watched("train", "price"):
        assert len(list(killed.folder().iterdir())) == 1
        assert killed.messages() == []  # it runs
    with pytest.raises(KeyboardInterrupt), killed.watched("train", "price"):
        raise KeyboardInterrupt
    assert list(killed.folder().iterdir()) == []


def test_a_process_that_ends_since_another_was_killed_leaves_its_note(root):
    with pytest.raises(SystemExit), killed.watched("train", "price"):
        raise SystemExit(processes.LOST)
    assert len(list(killed.folder().iterdir())) == 1
    with pytest.raises(SystemExit), killed.watched("train", "samsum"):
        raise SystemExit(2)
    assert len(list(killed.folder().iterdir())) == 1


def test_a_note_can_be_forgotten_of_one_stage(root):
    code = (
        "import sys\n"
        "from finetune.core import killed, processes\n"
        "with killed.watched('train', sys.argv[1]):\n"
        "    raise SystemExit(processes.LOST)\n"
    )
    for task in ("price", "samsum"):
        subprocess.run([sys.executable, "-c", code, task], check=False)
    killed.forget("train", "price")
    (line,) = killed.messages()
    assert line.startswith("train@samsum: ")


def test_a_kill_leaves_the_step_for_the_next_command(root):
    code = (
        "import os, signal\n"
        "from finetune.core import killed\n"
        "with killed.watched('train', 'price'):\n"
        "    killed.note(step=11, steps=30, tokens=2048)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    (line,) = killed.messages()
    assert line.startswith("train@price: the last run was killed")
    assert "in step 11 of 30 with 2048 tokens a micro-batch" in line


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (3, 4, "by the kernel because memory ran out in step 2 of 9"),
        (3, 3, "was killed (not by the kernel for want of memory) in step"),
        (None, None, "was killed, most likely because memory ran out in step"),
        (9, 1, "was killed, most likely because memory ran out in step"),  # restarted since
    ],
)
def test_the_kernel_says_whether_memory_ran_out(root, monkeypatch, before, now, said):
    died(root, before, step=2, steps=9, tokens=512)
    monkeypatch.setattr(killed, "oom_kills", lambda: now)
    (line,) = killed.messages()
    assert said in line
    assert ("run.token_budget" in line) == (before != now or now is None)
    assert line.endswith("the same command resumes it from its last checkpoint, if any")


def test_stages_that_predict_name_their_own_budgets(root, monkeypatch):
    died(root, 3)
    monkeypatch.setattr(killed, "oom_kills", lambda: 4)
    assert "set run.eval_token_budget or run.cache_gb lower" in killed.messages()[0]


def test_the_next_run_of_the_stage_says_it_once(root, caplog):
    died(root)
    with killed.watched("train", "samsum"):
        pass
    assert caplog.text == ""  # another's
    with killed.watched("train", "price"):
        pass
    assert "train@price: the last run was killed" in caplog.text
    assert killed.messages() == []


def test_notes_outside_of_a_stage_go_nowhere():
    killed.note(step=1)
    assert not killed.folder().exists()


def test_memory_that_ran_out_while_rows_were_scored_is_none_of_training(root, monkeypatch):
    died(root, 3, step=2, steps=9, tokens=512, scoring=True)
    monkeypatch.setattr(killed, "oom_kills", lambda: 4)
    assert "set run.eval_token_budget or run.cache_gb lower" in killed.messages()[0]
    with killed.watched("train", "price"):
        assert (killed.ran_out_of_memory(), killed.ran_out_of_memory(scoring=True)) == (False, True)
        killed.note(scoring=True, step=3)
        killed.note(scoring=False, step=3)  # at once: what it does is written when it changes
        (file,) = killed.folder().iterdir()
        assert json.loads(file.read_text())["scoring"] is False
    with killed.watched("train", "price"):
        assert not killed.ran_out_of_memory(scoring=True)
