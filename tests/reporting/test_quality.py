import pytest

from finetune.reporting import groups
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.quality import quality


def group(name: str, model: str, error: float | None, rows: int = 20) -> dict:
    ends = {"error_low": None, "error_high": None} if rows < 10 or error is None else {
        "error_low": error - 1, "error_high": error + 1,
    }  # fmt: skip
    return {"by": "side", "group": name, "model": model, "rows": rows, "error": error, **ends}


@pytest.fixture
def artifacts(kind) -> TaskArtifacts:
    errors = {"base": (9, 3, 5), "tuned": (1, 4, 5)}
    predictions = {
        model: [{"id": i, "absolute_error": error} for i, error in enumerate(of)]
        for model, of in errors.items()
    }
    by_group = [
        group("left", "base", 9.0), group("left", "tuned", 2.0),
        group("right", "base", 3.0, rows=7), group("right", "tuned", 4.0, rows=7),
    ]  # fmt: skip
    counts = {"n": 3, "empty": 1, "other": 7}
    return TaskArtifacts(
        task="towns",
        kind=kind,
        metrics={"base": counts, "tuned": {"n": 3, "empty": 0}},
        predictions=predictions,
        groups=by_group,
    )


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_figures_of_the_kind_stand_around_those_by_groups(artifacts):
    found = quality("t1", artifacts)
    assert [f.heading for f in found.figures] == ["first", "Mean error by side", "last"]
    assert found.figures[-1].caption == "t1"
    assert found.examples == "<b>towns</b>"
    assert found.missing == ["no map"]


def test_rows_won_and_weak_groups_are_told(artifacts):
    wins, weak = quality("t1", artifacts).notes
    assert wins.startswith("Row by row, the tuned model is better in 1 of 3 rows, worse in 1")
    assert plain(weak) == (
        "By groups, the tuned model is weakest at right (4.00 km). In these groups it is worse "
        "than the base model: right (4.00 against 3.00, 7 rows)."
    )


def test_flags_are_counted_and_explained(artifacts):
    found = quality("t1", artifacts)
    assert plain(found.flags.rows[0][1]) == "1 of 3 (33.3 %)"
    assert [row[0] for row in found.flags.rows] == ["empty"]
    assert found.flag_meanings == [("empty", "nothing was answered")]


def test_without_predictions_the_kind_is_not_asked(artifacts):
    artifacts.predictions.clear()
    found = quality("t1", artifacts)
    assert found.missing == ["No predictions of the tuned model were there to look at."]
    assert found.figures == []
    assert found.groups.head == ["group", "by", "model", "rows", "mean error"]


def test_the_largest_groups_are_drawn_in_their_order_and_all_are_in_the_table(artifacts):
    names = [f"g{i:02}" for i in range(groups.MOST_GROUPS + 3)]
    artifacts.groups[:] = [
        group(name, model, 5.0, rows=i + 1)
        for i, name in enumerate(names)
        for model in ("base", "tuned")
    ]
    (figure,) = groups.groups("t1", artifacts).figures
    assert "The 12 largest of 15 groups. Groups of fewer than 10 rows" in figure.caption
    assert "g03 · 4 rows" in figure.svg
    assert "g02" not in figure.svg
    assert len(groups.table(artifacts).rows) == 2 * len(names)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "No groups.tsv was written"),
        ([group("left", "base", 9.0), group("left", "tuned", 2.0)], "By side there are no groups"),
        ([group("left", "tuned", None), group("right", "tuned", None)], "no group has a score"),
    ],
)
def test_what_cannot_be_shown_by_groups_is_said(artifacts, rows, said):
    artifacts.groups[:] = rows
    part = groups.groups("t1", artifacts)
    assert part.figures == []
    assert said in part.missing[0]
