import pytest

from finetune.core.errors import DataError
from finetune.data import cleaning
from finetune.data.cleaning import CleanRows
from finetune.data.split import Split
from finetune.tasks.price import rows as price
from finetune.tasks.summarization import rows as summarization
from finetune.tasks.summarization.rows import Row


def raw(number: int, dialogue: object = "A: Hi.", summary: object = "A greets.") -> dict:
    return {
        "place": f"row {number}",
        "id": str(number),
        "dialogue": dialogue,
        "summary": summary,
    }


def rows(*pairs: tuple[str, str]) -> list[Row]:
    """Clean rows of (dialogue, summary)."""
    return [Row(id=f"{n}", dialogue=d, summary=s) for n, (d, s) in enumerate(pairs)]


def clean(raw_rows: list[dict]) -> CleanRows:
    return cleaning.clean(raw_rows, summarization, "samsum/train.json")


def checked(raw_rows: list[dict], max_bad_rate: float = 0.5) -> Split:
    """The split of cleaned rows, as `prepare` makes it, if nothing is wrong with it."""
    clean_rows = clean(raw_rows)
    split = Split.of(clean_rows.rows, {**clean_rows.counts, "set_aside": len(clean_rows.bad)})
    split.bad = clean_rows.bad
    cleaning.check(split, "samsum/train.json", max_bad_rate)
    return split


def ids(split: Split) -> list[str]:
    return [row.id for row in split.rows]


def test_bad_rows_are_set_aside_with_place_and_reason():
    unreadable = {"place": "line 3", "broken": "no JSON (Expecting value, column 1)"}
    missing = raw(2, summary=None)
    split = clean([raw(1), missing, unreadable, raw(4)])
    assert [row.id for row in split.rows] == ["1", "4"]
    assert split.bad == [
        {
            "file": "samsum/train.json",
            "place": "row 2",
            "reason": "summary is missing",
            "row": missing,
        },
        {
            "file": "samsum/train.json",
            "place": "line 3",
            "reason": "no JSON (Expecting value, column 1)",
            "row": unreadable,
        },
    ]
    assert split.counts["rows"] == 4


@pytest.mark.parametrize(("bad", "fails"), [(0, False), (2, False), (3, True)])
def test_more_than_the_allowed_rate_of_bad_rows_is_a_mistake(bad, fails):
    mixed = [raw(n, summary=None if n < bad else "x") for n in range(20)]
    if not fails:
        assert len(checked(mixed, 0.1)) == 20 - bad
        return
    with pytest.raises(DataError) as raised:
        checked(mixed, 0.1)
    assert str(raised.value) == (
        "samsum/train.json: row 0: summary is missing; 3 of 20 rows are bad, "
        "more than data.max_bad_rate (0.1) allows"
    )


def test_no_bad_row_is_allowed_where_the_rate_is_0():
    assert len(checked([raw(1)], 0)) == 1
    with pytest.raises(DataError, match="1 of 200 rows are bad"):
        checked([raw(0, summary=None), *(raw(n) for n in range(1, 200))], 0)


def test_a_field_of_a_type_that_has_no_hash_is_a_bad_row_as_well():
    split = clean([raw(1), raw(2, dialogue=["A: Hi."])])
    assert [row["place"] for row in split.bad] == ["row 2"]


@pytest.mark.parametrize("first", ["7", 7])
def test_two_rows_of_one_id_are_a_mistake(first):
    with pytest.raises(DataError) as raised:
        checked([raw(1), raw(2) | {"id": first}, raw(3) | {"id": "7"}, raw(4)])
    assert str(raised.value).startswith(
        "samsum/train.json: id '7' stands in more than one row (1 such ids)"
    )


def test_what_is_odd_about_raw_rows_is_counted():
    split = clean([
        raw(1, "A: Hi.\r\nB: Hi.", " Both greet. "),
        raw(2, "A: Hi.\r\nB: Hi.", "Both\ngreet."),
        raw(3, "A: Bye.", "A leaves."),
        raw(4, "A: Hi.\r\nB: Hi.", "They greet."),
    ])  # fmt: skip
    assert split.counts == {
        "rows": 4,
        "found_carriage_returns_in_dialogue": 3,
        "found_stray_blanks_around_summary": 1,
        "found_newlines_in_summary": 1,
    }


def test_rows_without_input_or_target_are_dropped():
    split = Split.of(rows(("A: Hi.", "x"), ("", "x"), ("A: Bye.", "")))
    cleaning.drop_unusable(split)
    assert ids(split) == ["0"]
    assert (split.counts["dropped_empty"], split.counts["dropped_duplicates"]) == (2, 0)


def test_repetitions_are_dropped_and_repeated_inputs_with_another_target_are_not():
    split = Split.of(rows(("a", "x"), ("b", "x"), ("a", "x"), ("a", "y"), ("a", "x")))
    cleaning.drop_unusable(split)
    assert ids(split) == ["0", "1", "3"]
    assert split.counts == {"dropped_empty": 0, "dropped_duplicates": 2}


def test_a_description_may_cost_something_else_the_next_time():
    products = [
        price.Row(id=str(n), text="A lamp", price=usd, category=None)
        for n, usd in enumerate((9.99, 9.99, 19.99))
    ]
    split = Split.of(products)
    cleaning.drop_unusable(split)
    assert ids(split) == ["0", "2"]


def leaky() -> dict[str, Split]:
    """Train shares `tv` with validation, `tt` with test, and `all` with both; validation `vt`."""
    return {
        "train": Split.of(rows(("own", "1"), ("tv", "1"), ("tt", "1"), ("tt", "2"), ("all", "1"))),
        "validation": Split.of(rows(("own too", "1"), ("tv", "2"), ("vt", "1"), ("all", "1"))),
        "test": Split.of(rows(("its own", "1"), ("tt", "1"), ("vt", "2"), ("all", "1"))),
    }


def test_leaks_are_dropped_from_the_side_that_is_learned_from():
    splits = leaky()
    cleaning.remove_leakage(splits)
    assert [row.dialogue for row in splits["train"].rows] == ["own"]
    assert [row.dialogue for row in splits["validation"].rows] == ["own too", "tv"]
    assert list(splits["test"].rows) == list(leaky()["test"].rows)


def test_leaks_are_counted_as_rows_and_as_inputs_for_all_three_pairs():
    splits = leaky()
    cleaning.remove_leakage(splits)
    assert splits["train"].counts == {
        "found_inputs_shared_with_validation": 2,
        "found_inputs_shared_with_test": 2,
        "dropped_leaks": 4,
    }
    assert splits["validation"].counts == {"found_inputs_shared_with_test": 2, "dropped_leaks": 2}
    assert splits["test"].counts == {}


def test_a_source_without_validation_has_leaks_between_the_other_two():
    splits = leaky()
    del splits["validation"]
    cleaning.remove_leakage(splits)
    assert [row.dialogue for row in splits["train"].rows] == ["own", "tv"]
    assert splits["train"].counts["found_inputs_shared_with_test"] == 2


def test_an_answer_in_the_text_of_train_does_not_hide_a_leak():
    question = "How much does this cost to the nearest dollar?\n\nA lamp\n\nPrice is $"
    train = {"place": "line 1", "id": "1", "text": f"{question}10.00", "price": 9.99}
    test = {"place": "line 1", "id": "1", "text": question, "price": 9.99}
    splits = {
        name: Split.of(cleaning.clean([row], price, f"{name}.jsonl").rows)
        for name, row in (("train", train), ("test", test))
    }
    cleaning.remove_leakage(splits)
    assert (len(splits["train"]), len(splits["test"])) == (0, 1)
