"""The draw of an audit: how often it finds an edit, held against what it says."""

import itertools
import math

import pytest

from finetune.auditing import drawing


@pytest.mark.parametrize(
    ("total", "rate", "edited"),
    [(200, 0.05, 10), (16, 0.05, 1), (32, 0.05, 2), (100, 0.07, 7), (10, 0.001, 1), (10, 1, 10)],
)
def test_the_rows_of_a_rate_are_at_least_that_many(total, rate, edited):
    assert drawing.num_edited(total, rate) == edited


@pytest.mark.parametrize(("total", "edited", "drawn"), [(8, 2, 3), (9, 1, 4), (7, 3, 0), (6, 4, 3)])
def test_the_probability_is_the_part_of_all_draws_that_hold_an_edited_row(total, edited, drawn):
    draws = list(itertools.combinations(range(total), drawn))
    finding = sum(any(position < edited for position in draw) for draw in draws)
    assert drawing.probability(total, edited, drawn) == pytest.approx(finding / len(draws))


@pytest.mark.parametrize("wanted", [0.5, 0.95, 0.999, 1.0])
def test_no_fewer_rows_would_do(wanted):
    drawn = drawing.num_drawn(200, 10, wanted)
    assert drawing.probability(200, 10, drawn) >= wanted
    assert drawing.probability(200, 10, drawn - 1) < wanted


def test_rows_are_drawn_once_each_by_the_seed_the_task_and_the_split():
    draw = drawing.positions(7, "price", "test", 200, 51)
    assert draw == sorted(set(draw)) == drawing.positions(7, "price", "test", 200, 51)
    assert len(draw) == 51
    assert set(draw) < set(range(200))
    others = [(8, "price", "test"), (7, "samsum", "test"), (7, "price", "validation")]
    assert all(drawing.positions(*other, 200, 51) != draw for other in others)
    assert drawing.positions(7, "price", "test", 5, 5) == list(range(5))


@pytest.mark.parametrize("edited", [range(10), range(190, 200), range(0, 200, 20)])
def test_an_edit_is_found_as_often_as_is_said(edited):
    audits, drawn = 4000, drawing.num_drawn(200, 10, 0.95)
    found = sum(
        not set(edited).isdisjoint(drawing.positions(seed, "price", "test", 200, drawn))
        for seed in range(audits)
    )
    said = drawing.probability(200, 10, drawn)
    assert 0.95 <= said < 0.96
    # Within four standard errors: by chance outside in 1 of 16,000 such tests.
    assert abs(found / audits - said) < 4 * math.sqrt(said * (1 - said) / audits)
