"""What of two values is the same, what is rounding, and what differs."""

import pytest

from finetune.auditing import differences
from finetune.auditing.differences import Difference

ROWS = [
    {"prediction": 42.0, "pit": [0.25, 0.5], "unparsable": False, "covered": 100.0, "text": "a"},
    {"prediction": 17.0, "pit": [0.5, 0.75], "unparsable": False, "covered": 0.5, "text": "b"},
]


def of(**changed):
    again = [ROWS[0], {**ROWS[1], **changed}]
    scales = differences.scales(ROWS)
    return differences.of_rows(ROWS, again, ["row 1:", "row 2:"], 1e-4, scales)


def test_equal_rows_are_exact():
    counts = of()
    assert (counts.exact, counts.within, counts.different) == (2, 0, ())


@pytest.mark.parametrize(
    "changed",
    [
        {"covered": 0.51},  # of a column up to 100
        {"prediction": 17.004},  # up to 42
        {"pit": [0.5, 0.7501]},  # up to 0.75, and at least as of 1
        {"covered": 0.51, "pit": [0.50005, 0.75]},
    ],
)
def test_numbers_are_rounded_by_the_size_of_their_column(changed):
    counts = of(**changed)
    assert (counts.exact, counts.within, counts.different) == (1, 1, ())


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"covered": 0.511}, "row 2: covered"),
        ({"prediction": 17.005}, "row 2: prediction"),
        ({"prediction": float("nan")}, "row 2: prediction"),
        ({"prediction": 17}, "row 2: prediction"),
        ({"pit": [0.5, 0.76]}, "row 2: pit 2"),
        ({"pit": [0.5]}, "row 2: pit"),
        ({"unparsable": True}, "row 2: unparsable"),
        ({"text": "c"}, "row 2: text"),
        ({"more": 1}, "row 2: more"),
        ({"covered": 0.51, "text": "c"}, "row 2: text"),  # the first that is no rounding
    ],
)
def test_anything_else_differs_and_is_named(changed, where):
    counts = of(**changed)
    assert (counts.exact, counts.within) == (1, 0)
    assert [each.where for each in counts.different] == [where]


def test_a_huge_number_in_few_rows_hides_no_edit_of_the_others():
    rows = [{"prediction": float(number)} for number in range(20)]
    edited = [{"prediction": row["prediction"] + 1} for row in rows]
    edited[3] = {"prediction": 1e12}
    names = [str(number) for number in range(20)]
    hidden = differences.of_rows(edited, rows, names, 1e-4, differences.scales(edited))
    assert len(hidden.different) == 1
    counts = differences.of_rows(edited, rows, names, 1e-4, differences.scales(edited, 2))
    assert len(counts.different) == 20


@pytest.mark.parametrize("value", [float("inf"), 1e300, float("nan")])
def test_a_committed_number_widens_no_tolerance_of_its_own(value):
    for one, other in ((value, 1.0), (1.0, value)):
        counts = differences.of_values({"mae": one}, {"mae": other}, 1e-4, "")
        assert len(counts.different) == 1
    scales = differences.scales([{"a": value}, {"a": 1.0}], 2)
    assert scales == {("a",): 1.0}


def test_other_numbers_of_rows_are_a_mistake():
    with pytest.raises(ValueError, match="shorter"):
        differences.of_rows(ROWS, ROWS[:1], ["row 1:", "row 2:"], 1e-4, {})


def test_values_are_counted_one_by_one_and_rounded_by_their_own_size():
    committed = {"price": {"mae": 38.7, "n": 200, "interval": {"mae": [30.0, 51.0]}}}
    again = {"price": {"mae": 38.701, "n": 201, "interval": {"mae": [30.0, 51.1]}}}
    counts = differences.of_values(committed, again, 1e-4, "tuned.json:")
    assert (counts.exact, counts.within) == (1, 1)
    assert counts.different == (
        Difference("tuned.json: price n", 200, 201),
        Difference("tuned.json: price interval mae 2", 51.0, 51.1),
    )


def test_what_is_there_on_one_side_alone_differs():
    one, other = {"a": 1.0}, {"b": 1.0}
    assert len(differences.of_values(one, other, 1e-4, "").different) == 2
    assert len(differences.of_values({}, {"b": {"c": 1.0}}, 1e-4, "").different) == 1


def test_counts_add_up():
    counts = differences.total([of(), of(covered=0.51), of(text="c")])
    assert (counts.exact, counts.within, len(counts.different)) == (4, 1, 1)
