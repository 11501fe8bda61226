import pytest

from finetune.core.errors import ParamsError
from finetune.core.params import validate_text
from finetune.tasks.classification import rows

RAW = {"id": 3, "text": " Where is\r\nmy parcel? ", "label": " delivery  late "}


def test_a_text_keeps_its_lines_and_a_label_is_one():
    row = rows.clean(RAW | {"place": "row 1"})
    assert row.model_dump(exclude_unset=True) == {
        "id": "3",
        "text": "Where is\nmy parcel?",
        "label": "delivery late",
    }
    assert (row.input, row.completion) == (row.text, row.label)


def test_a_number_is_a_label_as_text():
    assert rows.clean(RAW | {"label": 7}).label == "7"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": None}, "text is missing"),
        ({"label": None}, "label is missing"),
        ({"label": " \n"}, "label is blank, must say something"),
        ({"label": True}, "label is True, must be text"),
        ({"label": 1.5}, "label is 1.5, must be text"),
        ({"id": None}, "id is None, must be text or an integer"),
    ],
)
def test_a_bad_field_is_explained_with_its_value(fields, said):
    with pytest.raises(ValueError, match=f"^{said}$"):
        rows.clean(RAW | fields)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, {"carriage_returns_in_text", "stray_blanks_around_label"}),
        ({"text": "Where?", "label": "delivery"}, set()),
        ({"text": "Where?", "label": 3}, {"number_as_label"}),
    ],
)
def test_what_cleaning_changes_is_counted(fields, names):
    assert set(rows.peculiarities(RAW | fields)) == names


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("[billing]", "must name two labels or more; null takes those of train"),
        ("[a,b,a]", "holds 'a' twice"),
        ("[a,'b ']", "must hold texts without blanks at their ends"),
        ("[a,3]", "must be a valid string"),
    ],
)
def test_a_set_of_labels_that_is_none_is_refused(tickets, override, said):
    with pytest.raises(ParamsError, match=said) as raised:
        validate_text(tickets(f"tasks.tickets.eval.labels={override}"), "conf")
    assert "tasks.tickets.eval.labels" in str(raised.value)


def test_the_labels_may_be_those_of_train(tickets):
    read = validate_text(tickets("tasks.tickets.eval.labels=null"), "conf")
    assert read.tasks["tickets"].eval.labels is None


@pytest.mark.parametrize(
    ("text", "given_away"),
    [
        ("It is a DELIVERY,\nlate again", True),
        ("Deliverylate", False),
        ("delivery was late", False),
    ],
)
def test_a_text_that_holds_its_label_is_seen(text, given_away):
    assert rows.Row(id="1", text=text, label="delivery late").answer_in_input is given_away
