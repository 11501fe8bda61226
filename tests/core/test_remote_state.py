import subprocess
import sys

import pytest

from finetune.core import remote_state, runstate
from finetune.core.remote_state import RemoteState


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A DVC repository with a default remote in a folder beside it."""
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    remote = store\n")
    # As in a clone: relative to the file that it stands in.
    (root / ".dvc/config.local").write_text("['remote \"store\"']\n    url = ../../remote\n")
    return root


def write(state, **files):
    for name, text in files.items():
        file = state / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def content(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def test_a_saved_state_resumes_on_a_machine_that_has_none(repository, tmp_path):
    state = repository / ".runstate/train-price-1"
    copy = tmp_path / "remote/runstate/train-price-1"

    def work():
        write(state, budget="1", **{"checkpoint-5__a": "5", "checkpoint-5__manifest.json": "{}"})
        runstate.saved(state)
        assert content(copy) == content(state)
        # The next save: one is new, one was rotated away, one has changed.
        write(state, budget="22", **{"checkpoint-9__a": "9", "checkpoint-9__manifest.json": "{}"})
        for name in ("a", "manifest.json"):
            (state / "checkpoint-5" / name).unlink()
        runstate.saved(state)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), runstate.locked(state, push=True):
        work()
    before = content(state)
    assert set(before) == {"budget", "checkpoint-9/a", "checkpoint-9/manifest.json"}
    assert content(copy) == before
    subprocess.run(["rm", "-r", state], check=True)  # the machine is gone
    with runstate.locked(state, push=True):
        assert content(state) == before
    assert not state.exists()
    assert not content(tmp_path / "remote")


def test_until_pushed_the_copy_outlives_the_stage(repository, tmp_path):
    """A machine that vanishes in a later stage would take with it what this one gave."""
    state = repository / ".runstate/train-price-1"
    with runstate.locked(state, push="until_pushed"):
        write(state, budget="1", **{"checkpoint-9__a": "9"})
    assert not state.exists()
    with runstate.locked(state, push="until_pushed"):
        assert content(state) == {"budget": "1", "checkpoint-9/a": "9"}
    (copy,) = remote_state.kept(state.parent, "any")
    copy.remove()
    assert not content(tmp_path / "remote")
    assert remote_state.kept(state.parent, "any") == []


@pytest.mark.parametrize(("made_by", "is_removed"), [("r8", True), ("r16", False), ("", True)])
def test_the_copies_of_another_experiment_stay(repository, monkeypatch, made_by, is_removed):
    state = repository / ".runstate/train-price-1"
    monkeypatch.setenv("DVC_EXP_NAME", made_by)
    with runstate.locked(state, push="until_pushed"):
        write(state, budget="1")
    assert [copy.state for copy in remote_state.kept(state.parent, "r8")] == [state] * is_removed


def test_a_local_state_is_not_replaced(repository):
    state = repository / ".runstate/base-price-1"
    write(state, answers="old")
    RemoteState(state).push()
    write(state, answers="new")
    RemoteState(state).pull()
    assert content(state) == {"answers": "new"}


def test_a_copy_that_could_not_be_read_is_not_removed(repository, tmp_path, monkeypatch, caplog):
    state = repository / ".runstate/train-price-1"
    copy = tmp_path / "remote/runstate/train-price-1"
    write(copy, **{"checkpoint-50__a": "50"})
    other = RemoteState(state)
    with monkeypatch.context() as patch:
        patch.setattr(RemoteState, "_there", lambda self: (_ for _ in ()).throw(TimeoutError()))
        other.pull()
    assert "could not be fetched" in caplog.text
    write(state, **{"checkpoint-1__a": "1"})
    other.push()
    (state / "checkpoint-1/a").unlink()
    write(state, **{"checkpoint-2__a": "2"})
    other.push()
    assert content(copy) == {"checkpoint-50/a": "50", "checkpoint-2/a": "2"}
    # Nor by the next process, which has a local state and does not fetch.
    again = RemoteState(state)
    again.pull()
    again.push()
    assert content(copy) == {"checkpoint-50/a": "50", "checkpoint-2/a": "2"}


def test_of_what_was_fetched_what_is_gone_since_is_removed(repository, tmp_path):
    state = repository / ".runstate/train-price-1"
    copy = tmp_path / "remote/runstate/train-price-1"
    write(copy, **{"checkpoint-50__a": "50"})
    fetched = RemoteState(state)
    fetched.pull()
    (state / "checkpoint-50/a").unlink()
    write(state, **{"checkpoint-60__a": "60"})
    fetched.push()
    assert content(copy) == {"checkpoint-60/a": "60"}


def test_without_push_nothing_is_copied(repository, tmp_path):
    state = repository / ".runstate/train-price-1"
    with runstate.locked(state):
        write(state, a="1")
        runstate.saved(state)
    assert not (tmp_path / "remote").exists()


def test_a_remote_that_fails_warns_once_and_the_run_goes_on(repository, tmp_path, caplog):
    (tmp_path / "remote").write_text("a file where a folder is expected")
    state = repository / ".runstate/train-price-1"
    with runstate.locked(state, push=True):
        for text in "ab":
            write(state, budget=text)
            runstate.saved(state)
    (record,) = [each for each in caplog.records if "push_state" in each.message]
    assert "train-price-1 could not be" in record.message
    assert "the run goes on without" in record.message


def test_without_a_remote_it_says_how_to_add_one(repository, caplog):
    (repository / ".dvc/config").write_text("")
    with runstate.locked(repository / ".runstate/train-price-1", push=True):
        pass
    assert "no default remote: `dvc remote add --default NAME URL`" in caplog.text


def test_dvc_is_not_imported_where_nothing_is_pushed():
    code = "import sys, finetune.core.runstate; print('dvc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
