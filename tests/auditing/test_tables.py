"""What an audit prints."""

import pytest

from finetune.auditing import tables
from finetune.auditing.differences import Counts, Difference
from finetune.auditing.hashes import Hashes
from finetune.auditing.recomputing import Recomputed
from finetune.auditing.tables import Audit

WRONG = Difference("price test row 3: prediction", 42.0, "x" * 80)
SCORES = Recomputed("price", "scores", "", 900, 900, Counts(900, 0, ()))
TEST = Recomputed("price", "predictions", "test", 200, 51, Counts(40, 11, ()))


def audit(recomputed=(SCORES, TEST), wrong=(), missing=(), code=(), skipped=()) -> Audit:
    hashes = Hashes(90, {line: line for line in wrong}, tuple(missing))
    return Audit("r64", "0123456789abcdef", 17, code, hashes, recomputed, skipped)


def test_what_is_as_committed_says_how_surely():
    said = tables.text(audit(), 0.05, 1e-4, "simple")
    assert said.startswith("AS COMMITTED: r64 (0123456789ab)\n\n90 entries of dvc.lock fit files")
    (line,) = [line for line in said.splitlines() if "test predictions" in line]
    assert " ".join(line.split()) == "price test predictions 51 of 200 40 11 0 0.951 (10)"
    assert "with probability 0.951 or more" in said
    assert "`--seed 17` draws the same rows" in said
    assert "which is that of HEAD (src/, dvc.yaml)" in said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            audit([Recomputed("price", "predictions", "test", 200, 51, Counts(50, 0, (WRONG,)))]),
            f"- price test row 3: prediction is 42.0, and computed again '{'x' * 59}…",
        ),
        (audit(wrong=["models/price: is not what …"]), "- models/price: is not what …"),
    ],
)
def test_what_is_not_is_named(found, said):
    text = tables.text(found, 0.05, 1e-4, "github")
    assert text.startswith("## NOT AS COMMITTED: r64")
    assert said in text
    assert not tables.as_json(found, 0.05, 1e-4)["as_committed"]


def test_of_many_differences_the_first_ten_are_shown_and_the_rest_counted():
    counts = Counts(0, 0, tuple(Difference(f"row {n}:", 1, 2) for n in range(13)))
    found = audit([Recomputed("price", "scores", "", 13, 13, counts)])
    text = tables.text(found, 0.05, 1e-4, "simple")
    assert text.count("and computed again") == 10
    assert "- and 3 more" in text
    assert len(tables.as_json(found, 0.05, 1e-4)["recomputed"][0]["different"]) == 13


def test_what_was_not_looked_at_is_said():
    found = audit([SCORES], missing=["hardware/price"], code=["src/a.py"], skipped=["samsum"])
    said = tables.text(found, 0.05, 1e-4, "simple")
    assert "Not here, and not looked at: hardware/price." in said
    assert "Nothing was computed again of samsum: see its hashes." in said
    assert "differs from HEAD in 1 file; `git diff HEAD 0123456789ab -- src dvc.yaml` shows" in said
    assert "No prediction was computed again (--rows 0)." in said
    assert "Not audited: that `prepare` gives these rows, that training gives this adapter" in said
