import re

from finetune.forgetting import texts


def test_fifty_exercises_no_two_alike():
    exercises = texts.exercises()
    assert len(exercises) == 50
    for values in ([item.id for item in exercises], [item.prompt for item in exercises]):
        assert len(set(values)) == 50
    assert {item.part for item in exercises} == {"exercises"}


def test_answers_are_short_and_stand_after_a_blank_or_on_a_new_line():
    for item in texts.exercises():
        assert item.prompt == item.prompt.lstrip()
        assert 0 < len(item.text.split()) <= 4, item
        assert item.text.startswith(" ") != item.prompt.endswith("\n"), item
        assert item.text.strip() not in item.prompt.split("\n")[-1].split()[-1:], item


def test_the_page_is_one_of_about_600_words_in_paragraphs():
    page = texts.page()
    assert 8 <= len(page) <= 10
    assert 500 < sum(len(item.text.split()) for item in page) < 700
    assert all(item.prompt == "" and "\n" not in item.text for item in page)
    assert {item.part for item in page} == {"page"}


def test_all_is_plain_ascii_with_an_id_of_its_own():
    items = texts.items()
    assert len({item.id for item in items}) == len(items) == 60
    assert all(re.fullmatch(r"[ -~\n]*", item.prompt + item.text) for item in items)
    assert all("  " not in item.prompt + item.text for item in items)


def test_it_is_about_nothing_that_the_shipped_tasks_are_tuned_on():
    for item in texts.items():
        words = re.findall(r"\w+|\$", (item.prompt + item.text).lower())
        assert not {"dialogue", "summary", "summarize", "price", "prices", "usd", "$"} & set(words)
