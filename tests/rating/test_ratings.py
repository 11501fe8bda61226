import json

import pytest

from finetune.core.errors import UserError
from finetune.rating import ratings

LINE = {
    "page": "p", "task": "samsum", "split": "test", "rater": "Ann", "row": "1", "input": "aa",
    "left": "0" * 16, "right": "1" * 16, "choice": "left", "at": "2026-01-01T10:00:00.000Z",
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def written(name, *lines):
        file = tmp_path / name
        file.write_text("".join(json.dumps({**LINE, **line}) + "\n" for line in lines))
        return file

    return written


def test_of_two_ratings_by_one_rater_the_later_counts_whatever_file_it_is_in(write):
    later = write("a.jsonl", {"choice": "tie", "at": "2026-01-01T10:00:01.000Z"}, {"row": "2"})
    earlier = write("b.jsonl", {}, {"rater": "Bob"})
    collected = ratings.read([later, earlier])
    said = {(r.rater, r.row): r.choice for _, r in collected.ratings}
    assert said == {("Ann", "1"): "tie", ("Ann", "2"): "left", ("Bob", "1"): "left"}
    assert collected.replaced == 1


def test_a_rater_is_the_same_whatever_the_case_and_blanks_of_the_name(write):
    file = write("a.jsonl", {}, {"rater": " ann "}, {"rater": "An n"})
    collected = ratings.read([file])
    assert (len(collected.ratings), collected.replaced) == (2, 1)


def test_the_same_row_of_other_data_is_another_row(write):
    file = write("a.jsonl", {}, {"input": "bb"}, {"task": "other"})
    assert ratings.read([file]).replaced == 0


def test_a_folder_stands_for_the_files_in_it(write, tmp_path):
    one, other = write("b.jsonl", {}), write("a.jsonl", {})
    (tmp_path / "samsum.html").touch()
    assert ratings.files([tmp_path, one]) == [other, one]
    (tmp_path / "empty").mkdir()
    for missing in ("empty", "none.jsonl"):
        with pytest.raises(UserError, match=rf"{missing}: no file of ratings \(.jsonl\)"):
            ratings.files([tmp_path / missing])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"choice": "up"}, "a.jsonl: line 2: choice: Input should be 'left', 'right'"),
        ({"left": "x"}, "a.jsonl: line 2: left: String should match"),
        ({"rater": " "}, "a.jsonl: line 2: rater: "),
        ({"at": "soon"}, "a.jsonl: line 2: at: "),
        ({"at": "2026-01-01T10:00:00"}, "a.jsonl: line 2: at: Input should have timezone info"),
        ({"more": 1}, "a.jsonl: line 2: more: Extra inputs are not permitted"),
    ],
)
def test_a_line_that_is_no_rating_is_named(write, line, said):
    file = write("a.jsonl", {}, line)
    with pytest.raises(UserError) as raised:
        ratings.read([file])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["{", "[1]\n", "\n"])
def test_a_file_that_is_damaged_is_one_line(tmp_path, text):
    file = tmp_path / "a.jsonl"
    file.write_text(text)
    with pytest.raises(UserError, match=r"a\.jsonl: line 1: .*the page"):
        ratings.read([file])
