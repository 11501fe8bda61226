import json

import pytest

from finetune.training import state


def checkpoint(folder, step, best=None, sealed=True):
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "trainer_state.json").write_text(json.dumps({"best_global_step": best}))
    (path / "optimizer.pt").write_bytes(b"0123456789")
    if sealed:
        state.seal(path)
    return path


def test_the_latest_checkpoint_counts_by_number_not_by_name(tmp_path):
    checkpoint(tmp_path, 90)
    latest = checkpoint(tmp_path, 100)
    assert state.last_checkpoint(tmp_path) == latest
    assert state.step_of(latest) == 100


def test_an_incomplete_checkpoint_is_removed_without_a_word(tmp_path, caplog):
    complete = checkpoint(tmp_path, 5)
    incomplete = checkpoint(tmp_path, 10, sealed=False)
    (tmp_path / "checkpoint-15").mkdir()
    assert state.last_checkpoint(tmp_path) == complete
    assert not incomplete.exists()
    assert caplog.text == ""


def test_without_checkpoints_a_run_starts_anew(tmp_path):
    assert state.last_checkpoint(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("optimizer.pt", b"", "optimizer.pt has 0 bytes of 10"),
        ("optimizer.pt", b"01234", "optimizer.pt has 5 bytes of 10"),
        ("optimizer.pt", bytes(10), "optimizer.pt has changed"),
        ("optimizer.pt", None, "optimizer.pt is missing"),
        ("manifest.json", b'{"optimizer.pt": [10', "its JSON cannot be read"),
        ("manifest.json", b"[]", "its JSON cannot be read"),
    ],
)
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_it_is_used(
    tmp_path, caplog, name, content, said
):
    before, damaged = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10)
    if content is None:
        (damaged / name).unlink()
    else:
        (damaged / name).write_bytes(content)
    assert state.last_checkpoint(tmp_path) == before
    assert (tmp_path / "damaged-checkpoint-10").is_dir()
    (record,) = caplog.records
    assert f"checkpoint-10 is damaged ({said})" in record.message
    assert "\n" not in record.message


def test_a_checkpoint_whose_best_one_is_damaged_is_not_used(tmp_path, caplog):
    best = checkpoint(tmp_path, 5, best=5)
    earlier = checkpoint(tmp_path, 3, best=3)
    checkpoint(tmp_path, 10, best=5)
    (best / "optimizer.pt").write_bytes(b"")
    assert state.last_checkpoint(tmp_path) == earlier
    assert "the best one so far, checkpoint-5, is damaged" in caplog.text


def test_rotation_keeps_the_last_two_and_the_best(tmp_path):
    for step in (5, 9, 10, 15, 20):
        checkpoint(tmp_path, step)
    state.rotate(tmp_path, best_step=9)
    assert [state.step_of(path) for path in state.checkpoints(tmp_path)] == [9, 15, 20]


def test_rotation_keeps_the_best_that_a_kept_checkpoint_refers_to(tmp_path, caplog):
    checkpoint(tmp_path, 20, best=20)
    whole = checkpoint(tmp_path, 30, best=20)
    last = checkpoint(tmp_path, 40, best=40)
    state.rotate(tmp_path, best_step=40)
    assert [state.step_of(path) for path in state.checkpoints(tmp_path)] == [20, 30, 40]
    (last / "optimizer.pt").write_bytes(b"")
    assert state.last_checkpoint(tmp_path) == whole
