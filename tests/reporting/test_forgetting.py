import pytest

from finetune.reporting import forgetting, tables
from finetune.reporting.quality import quality


def measured(page: tuple, exercises: tuple, truncated: int = 0) -> dict:
    """The tuned model's metrics; a part is (base, difference, half of the interval's width)."""

    def of(base: float, mean: float, half: float) -> dict:
        ends = {"mean": mean, "low": mean - half, "high": mean + half}
        return {"base": base, "tuned": base + mean, "difference": ends}

    parts = {"page": of(*page), "exercises": of(*exercises), "all": of(*exercises)}
    return {"forgetting": {**parts, "n": 60, "truncated": truncated}}


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_what_became_less_likely_is_said_with_how_much():
    (said,) = forgetting.notes(measured((1.2, 1.0, 0.25), (1.1, -0.5, 0.25)))
    assert plain(said).startswith(
        "To the tuned model a page of general text became less likely (from 1.20 to 2.20 bits per "
        "byte, +1.00 [+0.75, +1.25]): on average (geometric mean) a byte of it is 50 % less likely "
        "than to the base model. To the tuned model fifty small exercises became likelier (from "
        "1.10 to 0.60 bits per byte, −0.50 [−0.75, −0.25]): on average (geometric mean) a byte of "
        "it is 1.41 times as likely as to the base model. "
    )
    assert plain(said).endswith(forgetting.SCALE)


@pytest.mark.parametrize("half", [0.0, 0.3])
def test_where_the_interval_includes_zero_nothing_is_claimed(half):
    (said,) = forgetting.notes(measured((5.2, 0.0, half), (6.0, 0.0, half)))
    assert said.count("there is no significant difference in likelihood") == 2
    assert "likelier" not in said
    assert "less likely" not in said


def test_truncated_texts_are_counted():
    (said,) = forgetting.notes(measured((5.2, 0.0, 1), (6.0, 0.0, 1), truncated=3))
    assert plain(said).endswith("Truncated to the model's context: 3 of 60 (5 %) texts.")


def test_both_models_stand_in_a_table():
    table = forgetting.table(measured((1.2, 1.0, 0.25), (1.1, -0.5, 0.25)))
    assert table.head == ["bits per byte", "base model", "tuned", "tuned − base, paired"]
    assert [row[0] for row in table.rows] == list(forgetting.NAMES.values())
    assert [plain(cell) for cell in table.rows[0][1:]] == ["1.20", "2.20", "+1.00 [+0.75, +1.25]"]


def test_before_it_was_measured_nothing_is_said(kind):
    from finetune.reporting.artifacts import TaskArtifacts

    assert forgetting.notes({}) == []
    assert forgetting.table({}) is None
    assert tables.forgetting_remark({"tuned": {"gain": {}}}) == []
    assert quality("t1", TaskArtifacts(task="towns", kind=kind)).forgetting is None


def test_a_terminal_has_it_in_a_line():
    (line,) = tables.forgetting_remark({"tuned": measured((1.2, 1.0, 0.25), (1.1, -0.5, 0.25))})
    assert line == (
        "General text, bits per byte of base → tuned (more: less likely): page 1.20 → 2.20 "
        "(+1.00 [0.75, 1.25]), exercises 1.10 → 0.60 (-0.50 [-0.75, -0.25])."
    )
