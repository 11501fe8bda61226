import sys

from finetune.core.progress import progress


def test_items_come_through_and_a_log_without_terminal_stays_short(capsys):
    assert not sys.stderr.isatty()
    assert list(progress(range(1000), "count", "item")) == list(range(1000))
    assert capsys.readouterr().err.count("\r") <= 2
