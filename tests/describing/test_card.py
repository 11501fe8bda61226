import pytest

from finetune.describing import card, markdown, sections
from finetune.describing.card import Options
from finetune.describing.kind_card import Grouping, KindCard, Measure
from finetune.tasks.price.rows import Row

KIND = KindCard(
    measures=(Measure(title="price (USD)", of=lambda row: row.price),),
    groupings=(Grouping(title="category", of=lambda row: [row.category or "not known"]),),
)
OPTIONS = Options(seed=1, confidence=0.95, phone_regions=("US",), is_masked=False)
COUNTS = {
    "train": {"rows": 60, "found_email_addresses": 2, "kept": 60},
    "test": {"rows": 30, "kept": 30},
}
ORIGIN = {"source": "files", "files": {"train": {"file": "a|b.jsonl"}}, "licence": "MIT"}


def products(start: int, count: int, word: str, dollars: float) -> list[Row]:
    return [
        Row(
            id=f"p{n}",
            text=f"{word} lamp, number {n}, of brass; write to <jo{n}@example.com>",
            price=dollars + n % 7,
            category="[Tools](x)" if n % 2 else None,
        )
        for n in range(start, start + count)
    ]


def described(word: str = "A", dollars: float = 10.0, licence: str = "MIT") -> dict:
    splits = {
        "train": products(0, 60, "A", 10.0),
        "validation": products(60, 20, "A", 10.0),
        "test": products(80, 30, word, dollars),
    }
    return card.describe(splits, KIND, {**ORIGIN, "licence": licence}, OPTIONS)


def test_a_card_counts_and_measures():
    found = described()
    assert found["rows"] == {"train": 60, "validation": 20, "test": 30}
    assert found["lengths"]["input_words"]["train"]["median"] == 9
    assert found["groups"]["category"]["not known"] == {"train": 30, "validation": 10, "test": 15}
    assert found["measures"]["price (USD)"]["splits"]["test"]["max"] == 16
    assert found["sampled_rows"] == found["rows"]
    assert found["scripts"].keys() == {"latin"}
    of_train = [of["train"] for of in found["languages"].values()]
    assert sum(of_train) == 60


def test_examples_are_shown_where_the_licence_allows_it_and_without_personal_data():
    open_card, closed = described(), described(licence="CC BY-NC-ND 4.0, research use")
    first = open_card["examples"][0]
    assert (first["id"], first["target"]) == ("p0", "10")
    assert first["input"] == "A lamp, number 0, of brass; write to <<email>>"
    assert len(open_card["examples"]) == card.SHOWN_ROWS
    assert "lamp" in markdown.page("price", open_card, COUNTS)
    assert "examples" not in closed
    assert "lamp" not in str(closed)
    text = markdown.page("price", closed, COUNTS)
    assert "lamp" not in text
    assert "None are shown: the licence does not plainly allow it." in text


def test_like_splits_are_said_to_be_alike():
    sentences = sections.shift_sentences(described())
    assert sentences[0] == "Train and test cannot be told apart by their inputs."
    assert len(sentences) == 2
    assert "(95\u00a0% interval; 30 rows of each" in sentences[1]


def test_other_inputs_and_prices_are_said_to_be_of_another_mix():
    first, auc, price = sections.shift_sentences(described("The cheapest", 100.0))
    assert first.startswith("Train and test are of different mixes")
    assert "AUC of 1.00 [" in auc
    assert price.startswith("Price (USD) is higher in test: mean 12.90 in train and 103.0 in test")


@pytest.mark.parametrize(
    ("mean", "low", "words"),
    [(0.6, 0.55, "differ, if not by much"), (0.75, 0.49, "cannot be told apart")],
)
def test_a_verdict_needs_an_interval_above_one_half(mean, low, words):
    shift = {
        "rows_of_each": 9,
        "confidence": 0.9,
        "auc": {"input": {"mean": mean, "low": low, "high": 0.9}},
    }
    assert words in sections.shift_sentences({"shift": shift, "measures": {}})[0]


def test_too_few_rows_are_said_to_be():
    shift = {"rows_of_each": 9, "confidence": 0.9, "auc": {}}
    (sentence,) = sections.shift_sentences({"shift": shift, "measures": {}})
    assert "Too few rows" in sentence


def test_what_data_names_cannot_break_the_markdown():
    text = markdown.page("price", described(), COUNTS)
    assert "| files train file | a\\|b.jsonl |" in text
    assert "| [Tools]\\(x) | 30 (50 %) |" in text
    assert "write to <<email>>" in text  # in a block of code
    assert markdown._fenced("a ``` b").startswith("````text\n")
    assert markdown._escaped("<img src=x>\n# a_b") == "&lt;img src=x&gt; # a\\_b"


def test_personal_data_is_told_by_split():
    by_title = {each.title: each for each in sections.sections(described(), COUNTS)}
    assert by_title["Personal data"].rows == [["e-mail addresses", "2", "0"]]
    assert "not masked" in by_title["Personal data"].notes[0]
    none = sections.sections(described(), {"train": {"rows": 60}})[-1]
    assert none.notes[0].startswith("None was found, of e-mail addresses")


def test_a_histogram_is_drawn_in_bars_of_its_own_split():
    drawn = sections.sections(described(), COUNTS, with_bars=True)
    table = {each.title: each for each in drawn}["Price (USD), rows by value"]
    assert table.head == ["value", "train", "validation", "test"]
    assert table.rows[0][0] == "10"
    assert table.rows[0][1] == f"9 {'█' * 16}"
