import pytest

from finetune.ledger import Look, Side
from finetune.reporting import looks
from finetune.scoring import multiple


def look(p: float, seeds: int = 1) -> Look:
    return Look(
        task="price",
        rows="a1",
        score="mae",
        before=Side(runs=["main"], predictions=["1"]),
        after=Side(runs=[f"exp-{n}" for n in range(seeds)], predictions=["2"]),
        difference=-1.5,
        p=p,
    )


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


def test_a_look_at_one_configuration_alone_has_no_p_value():
    alone = Look(
        task="price",
        rows="a1",
        score="mae",
        before=Side(runs=["main", "main-seed2"], predictions=["1", "2"]),
    )
    ledger = [look(0.03), alone]
    assert looks.adjusted(ledger) == [0.03, None]
    assert looks.table(ledger).rows[1] == ["main (2 seeds)", "price", "mae", "", "", ""]
