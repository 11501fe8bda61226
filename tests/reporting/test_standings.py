import pytest

from finetune.core.schema import Bootstrap
from finetune.reporting import standings
from finetune.reporting.material import Material

OPTIONS = Bootstrap(resamples=100, confidence=0.95, seed=1)


def scores(mae: float, n: int = 4, **protocol: bool) -> dict:
    ends = {"mae": {"low": mae - 1, "high": mae + 1}}
    return {"mae": mae, "n": n, "interval": ends, "protocol": protocol}


def rows(*errors: float) -> list[dict]:
    return [{"id": i, "absolute_error": error} for i, error in enumerate(errors)]


@pytest.fixture
def material() -> Material:
    return Material(
        "price",
        "price",
        metrics={
            "ladder": {
                "ridge": scores(30), "svr": scores(20), "human": scores(10, n=2),
                "oracle": scores(1, bound=True),
            },
            "base": scores(90),
            "few_shot": {},
            "tuned": scores(25),
        },
        predictions={"tuned": rows(24, 26, 25, 25), "base": rows(90, 91, 89, 90)},
        rungs={"human": rows(9, 11), "svr": rows(20, 20, 20, 20)},
    )  # fmt: skip


def test_rungs_come_first_and_what_was_not_run_is_left_out(material):
    found = standings.standings(material)
    assert [(s.key, s.role) for s in found] == [
        ("ridge", "rung"), ("svr", "rung"), ("human", "rung"), ("oracle", "bound"),
        ("base", "base"), ("tuned", "tuned"),
    ]  # fmt: skip
    assert [s.key for s in found if s.is_partial] == ["human"]
    assert found[0].low == 29


def test_neither_a_bound_nor_a_rung_of_some_rows_is_the_best(material):
    found = standings.standings(material)
    assert standings.best_rung(found, higher_is_better=False).key == "svr"
    assert standings.best_rung(found, higher_is_better=True).key == "ridge"
    assert standings.best_rung(found[2:], higher_is_better=False) is None


def test_a_lead_is_positive_where_the_tuned_model_is_better(material):
    found = {s.key: s for s in standings.standings(material)}
    assert standings.lead(material, found["base"], OPTIONS).mean == 65
    behind = standings.lead(material, found["svr"], OPTIONS)
    assert behind.mean == -5
    assert behind.low <= behind.mean <= behind.high < 0


def test_a_lead_is_over_the_rows_of_both(material):
    human = standings.by_role(standings.standings(material)[2:], "rung")
    assert standings.lead(material, human, OPTIONS).mean == -15  # (24 + 26 - 9 - 11) / 2


def test_without_its_rows_there_is_no_lead(material):
    ridge = standings.by_role(standings.standings(material), "rung")
    assert standings.lead(material, ridge, OPTIONS) is None


def test_nothing_scored_is_nobody():
    assert standings.standings(Material("price", "price")) == []
