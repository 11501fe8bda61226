import pytest

from finetune.core.errors import UserError
from finetune.scaffold import choosing

QUESTION = ("the target of price", "--target", ["price", "cost"])


@pytest.mark.parametrize(
    ("said", "chosen"),
    [([""], "price"), (["2"], "cost"), (["cost"], "cost"), (["3", "1"], "price")],
)
def test_a_person_says_a_number_or_a_name(monkeypatch, capsys, said, chosen):
    answers = iter(said)
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    assert choosing.ask(*QUESTION) == chosen
    assert capsys.readouterr().out.startswith("The target of price?\n  1  price\n  2  cost\n")


def test_a_closed_terminal_is_one_line(monkeypatch):
    def closed(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    with pytest.raises(UserError, match="choose with --target"):
        choosing.ask(*QUESTION)


def test_without_a_terminal_the_option_and_the_candidates_are_named(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UserError) as raised:
        choosing.chooser(yes=False)(*QUESTION)
    assert str(raised.value) == (
        "init: the target of price may be 'price', 'cost'; choose with --target (or --yes: "
        "the first)"
    )


def test_yes_takes_the_first():
    assert choosing.chooser(yes=True)(*QUESTION) == "price"
