import pytest

from finetune.reporting import looks
from finetune.scoring import multiple


def look(p: float, seeds: int = 1) -> dict:
    return {
        "task": "price",
        "rows": "a1",
        "score": "mae",
        "before": {"runs": ["main"]},
        "after": {"runs": [f"exp-{n}" for n in range(seeds)]},
        "difference": -1.5,
        "p": p,
    }


def test_every_look_counts_against_all_others_later_ones_too():
    ledger = [look(0.03), look(0.2), look(0.04), look(0.5)]
    assert looks.adjusted(ledger) == pytest.approx(multiple.holm([0.03, 0.2, 0.04, 0.5]))
    assert looks.adjusted([]) == []


def test_the_table_has_a_row_for_each_with_both_p_values():
    table = looks.table([look(0.03, seeds=3), look(0.2)])
    assert [row[0] for row in table.rows] == ["main → exp-0 (3 seeds)", "main → exp-0"]
    assert [row[-2:] for row in table.rows] == [["0.03", "0.06"], ["0.2", "0.2"]]


def test_the_sentence_says_how_often():
    assert "yet" in looks.sentence([])
    assert "once" in looks.sentence([look(0.5)])
    assert "2 times" in looks.sentence([look(0.5), look(0.1)])
