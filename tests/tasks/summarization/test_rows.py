import pytest

from finetune.tasks.summarization import rows

ROW = {
    "id": 13818513,
    "dialogue": "Amanda: Cookies?\r\nJerry:  Sure! \r\n",
    "summary": " Amanda baked cookies.\nJerry\r\n will have  some. ",
}


def test_a_dialogue_keeps_its_lines_and_a_summary_is_one():
    clean = rows.clean(ROW | {"place": "row 1"})
    assert clean.model_dump(exclude_unset=True) == {
        "id": "13818513",
        "dialogue": "Amanda: Cookies?\nJerry:  Sure!",
        "summary": "Amanda baked cookies. Jerry will have some.",
    }
    assert (clean.input, clean.completion) == (clean.dialogue, clean.summary)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dialogue": None}, "dialogue is missing"),
        ({"summary": None}, "summary is missing"),
        ({"summary": 3}, "summary is 3, must be text"),
        ({"dialogue": ["a", "b"]}, r"dialogue is \['a', 'b'\], must be text"),
        ({"id": None}, "id is None, must be text or an integer"),
    ],
)
def test_a_bad_field_is_told_with_its_value(fields, said):
    with pytest.raises(ValueError, match=f"^{said}$"):
        rows.clean(ROW | fields)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            {},
            {"carriage_returns_in_dialogue", "stray_blanks_around_summary", "newlines_in_summary"},
        ),
        ({"dialogue": "A: x\nB: y", "summary": "One."}, set()),
        ({"dialogue": "A: x\nB: y", "summary": "One. "}, {"stray_blanks_around_summary"}),
        ({"dialogue": "A: x", "summary": "One.\nTwo."}, {"newlines_in_summary"}),
        ({"dialogue": "A: x\r\nB: y", "summary": "One."}, {"carriage_returns_in_dialogue"}),
    ],
)
def test_what_cleaning_changes_is_found(fields, found):
    assert set(rows.peculiarities(ROW | fields)) == found


def raw(summary: object) -> dict:
    return {"id": 1, "dialogue": "A: Hi.", "summary": summary}


def test_of_several_references_the_first_is_the_summary_and_all_are_kept():
    cleaned = rows.clean(raw([" A  greets.", "", "Ann says\nhi. "]))
    assert cleaned.summary == cleaned.completion == "A greets."
    assert cleaned.references == ("A greets.", "Ann says hi.")


@pytest.mark.parametrize("summary", ["A greets.", ["A greets."], ["", "A greets."]])
def test_a_row_of_one_reference_has_no_list_of_them(summary):
    cleaned = rows.clean(raw(summary))
    known = {"id": "1", "dialogue": "A: Hi.", "summary": "A greets."}
    assert cleaned.model_dump(exclude_unset=True) == known


def test_a_row_whose_references_are_all_blank_has_an_empty_summary():
    assert rows.clean(raw([" ", ""])).summary == ""


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ([], "summary is missing"),
        (["x", None], "summary 2 is missing"),
        (["x", 5], "summary 2 is 5, must be text"),
    ],
)
def test_a_reference_that_is_no_text_is_a_bad_field(summary, said):
    with pytest.raises(ValueError, match=said):
        rows.clean(raw(summary))


def test_several_references_are_found():
    assert set(rows.peculiarities(raw(["a\nb", " "]))) == {
        "several_references", "blank_references", "newlines_in_summary",
        "stray_blanks_around_summary",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("summary", "given_away"),
    [("We meet at  noon.", True), ("Ann: we meet at noon", True), ("We meet", False), ("", False)],
)
def test_a_summary_that_is_a_line_of_the_dialogue_is_seen(summary, given_away):
    row = rows.Row(id="1", dialogue="Bob: Hi!\nAnn: We meet at noon", summary=summary)
    assert row.answer_in_input is given_away
