import os
import signal

import pytest

from finetune.core import interrupts


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    yield
    assert before == {number: signal.getsignal(number) for number in interrupts.SIGNALS}


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, interrupts.Interrupted), (signal.SIGTERM, SystemExit)]
)
def test_the_first_signal_waits_for_the_save(number, error, capfd):
    done = []

    def work():
        with interrupts.deferred("it is saved") as interruption:
            os.kill(os.getpid(), number)
            done.append(interruption.number)
            interruption.end("saved; the same command resumes")

    with pytest.raises(error) as ended:
        work()
    assert done == [number]
    if number == signal.SIGTERM:
        assert ended.value.code == 143
    else:
        assert str(ended.value) == "saved; the same command resumes"
    assert "it is saved; Ctrl-C again ends at once" in capfd.readouterr().err


def test_a_second_ctrl_c_ends_at_once():
    def work():
        with interrupts.deferred("it is saved"):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)  # does not cut the save short
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt) as ended:
        work()
    assert not isinstance(ended.value, interrupts.Interrupted)


def test_a_signal_that_nothing_was_saved_for_is_raised_at_the_end():
    with pytest.raises(interrupts.Interrupted), interrupts.deferred("it is saved"):
        os.kill(os.getpid(), signal.SIGINT)


def test_without_a_signal_nothing_happens():
    with interrupts.deferred("it is saved") as interruption:
        interruption.end("never")


def test_one_process_of_several_saves_without_a_word(monkeypatch, capfd):
    monkeypatch.setattr(interrupts, "is_announced", False)
    with pytest.raises(interrupts.Interrupted), interrupts.deferred("it is saved"):
        os.kill(os.getpid(), signal.SIGINT)
    assert capfd.readouterr() == ("", "")
