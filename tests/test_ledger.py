import json

import pytest

from finetune import ledger
from finetune.core import paths
from finetune.core.errors import UserError

LOOK = {
    "task": "price",
    "rows": "a1",
    "score": "mae",
    "before": {"runs": ["main"], "predictions": ["1"]},
    "after": {"runs": ["r64"], "predictions": ["2"]},
    "difference": -1.5,
    "p": 0.03,
}


def written(folder, content: object):
    file = folder / paths.looks()
    file.parent.mkdir()
    file.write_text(json.dumps(content))
    return folder


def test_there_may_be_none(tmp_path):
    assert ledger.read(tmp_path) == []


def test_looks_are_read_as_they_were_written(tmp_path):
    alone = {key: LOOK[key] for key in ("task", "rows", "score", "before")}
    one, other = ledger.read(written(tmp_path, {"looks": [LOOK, alone]}))
    assert (one.p, one.before.runs, one.after.runs) == (0.03, ["main"], ["r64"])
    assert (other.p, other.after, other.difference) == (None, None, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "the file: Input should be"),
        (3, "the file: Input should be"),
        ({"looks": 3}, "looks: Input should be a valid list"),
        ({"looks": [{**LOOK, "p": "small"}]}, "looks.0.p: Input should be a valid number"),
        ({"looks": [{**LOOK, "p": 2.0}]}, "looks.0.p: Input should be less than or equal to 1"),
        ({"looks": [{**LOOK, "before": "main"}]}, "looks.0.before: Input should be"),
        ({"looks": [{"task": "price"}]}, "looks.0.rows: Field required"),
        ({"looks": [{**LOOK, "more": 1}]}, "looks.0.more: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_ledger_is_one_line(tmp_path, content, said):
    with pytest.raises(UserError) as raised:
        ledger.read(written(tmp_path, content))
    assert str(raised.value).startswith(f"metrics/looks.json: {said}")
    assert "\n" not in str(raised.value)
