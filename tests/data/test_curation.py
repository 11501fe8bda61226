import numpy as np
import pytest
from pydantic import ValidationError

from finetune.core.errors import DataError
from finetune.core.schema import Curate
from finetune.data import cleaning, curation, splitting
from finetune.data.cleaning import CleanRows
from finetune.data.curation import Curated
from finetune.data.split import Split
from finetune.tasks.instruction import rows as instruction
from finetune.tasks.instruction.options import Task as InstructionTask
from finetune.tasks.price import rows as price
from finetune.tasks.price.options import PriceCurate
from finetune.tasks.summarization import rows as summarization

LAMP = "A lamp of brass, WPW10348269 or B07-123, for 10.5x20.5in desks (2-Pack) 4006381333931"


def raw(number: int, text: str = LAMP, usd: float = 20.0, category: str | None = None) -> dict:
    return {
        "place": f"row {number}",
        "id": number,
        "text": text,
        "price": usd,
        "category": category,
    }


def curated(rows: list[dict], **options: object) -> CleanRows:
    kind = Curated(price, ["text"], PriceCurate.model_validate(options))
    return cleaning.clean(rows, kind, "price/train.jsonl")


def test_part_numbers_and_long_numbers_go_and_measures_stay():
    assert curation.scrub(LAMP, "part_numbers") == (
        "A lamp of brass, or for 10.5x20.5in desks (2-Pack) 4006381333931"
    )
    assert curation.scrub("EAN 4006381333931\n$1,299.00 ASIN:B0001234567", "long_numbers") == (
        "EAN\n$1,299.00"
    )


def test_without_options_rows_are_as_they_were():
    split = curated([raw(1), raw(2, "")])
    assert split.rows == [price.clean(raw(1)), price.clean(raw(2, ""))]
    assert split.counts == {"rows": 2, "found_category_missing": 2}


def test_each_rule_is_counted_and_a_row_once():
    rows = [
        raw(1, usd=0.2, category="Toys"),
        raw(2, usd=2000.0, category="Tools"),  # the price comes first
        raw(3, category="Toys"),
        raw(4, category="Toys", text="Short"),
        raw(5, category="Toys", text="long " * 50),
        raw(6, category="Tools"),
        raw(7),
    ]
    split = curated(
        rows,
        price={"min": 0.5, "max": 999.0},
        categories=["Toys"],
        characters={"min": 10, "max": 200},
        scrub=["part_numbers"],
    )
    assert [row.id for row in split.rows] == ["3"]
    assert "WPW" not in split.rows[0].input
    assert {k: n for k, n in split.counts.items() if not k.startswith("found_p")} == {
        "rows": 7,
        "found_category_missing": 1,
        "dropped_by_price": 2,
        "dropped_by_category": 2,
        "dropped_too_short": 1,
        "dropped_too_long": 1,
    }
    assert split.counts["found_part_numbers"] == 5


def test_texts_are_truncated_to_the_budget_after_a_whole_word():
    text = " ".join(["abcdefgh"] * 20)  # two tokens each
    split = curated([raw(1, text), raw(2, "A lamp.")], token_budget=17)
    assert [row.input for row in split.rows] == [" ".join(["abcdefgh"] * 8), "A lamp."]
    assert split.counts["found_over_token_budget"] == 1
    assert curation.tokens(split.rows[0].input) == 16


@pytest.mark.parametrize(
    ("text", "budget", "kept"),
    [
        ("one two three", 2, "one two"),
        ("one twotwotwo", 2, "one"),
        ("one\ntwo three", 2, "one"),
        ("one\ntwo three", 3, "one\ntwo"),
        ("twotwotwo", 1, "twotwo"),
        ("one", 1, "one"),
    ],
)
def test_the_budget_counts_words_of_six_letters_and_line_ends(text, budget, kept):
    assert curation.within(text, budget) == kept


def test_too_few_tokens_are_too_short():
    split = curated([raw(1, "two words"), raw(2, "these are four words")], min_tokens=4)
    assert [row.id for row in split.rows] == ["2"]
    assert split.counts["dropped_too_short"] == 1


def test_rows_that_break_the_schema_are_set_aside_as_before():
    kind = Curated(summarization, ["dialogue"], Curate(characters={"min": 3}))
    rows = [
        {"place": "row 1", "id": 1, "dialogue": "A: Hi.", "summary": None},
        {"place": "row 2", "broken": "no JSON"},
        {"place": "row 3", "id": 3, "dialogue": "A: Hello.", "summary": "A."},
    ]
    split = cleaning.clean(rows, kind, "x")
    assert [bad["reason"] for bad in split.bad] == ["summary is missing", "no JSON"]
    assert [row.id for row in split.rows] == ["3"]


def test_rows_are_drawn_by_weight_without_replacement_and_nested():
    rng = np.random.default_rng(0)
    weights = np.repeat([0.0, 1.0, 4.0], 4000)
    uniforms = rng.random(weights.size)
    mask = curation.drawn(weights, uniforms, 1000)
    assert mask.sum() == 1000
    assert not mask[:4000].any()
    # 1 in 5, less a little as rows of the heavier sort run out; its standard error is 13 rows.
    assert mask[4000:8000].sum() == pytest.approx(212, abs=50)
    assert not (curation.drawn(weights, uniforms, 300) & ~mask).any()
    with pytest.raises(ValueError, match="8,000"):
        curation.drawn(weights, uniforms, 8001)


def test_a_fixed_size_depends_on_ids_and_not_on_their_order():
    options = PriceCurate.model_validate(
        {
            "sizes": {"train": 5},
            "weights": {"category": {"Toys": 0}, "price": [{"up_to": 50, "weight": 0.0}]},
        }
    )
    rows = [
        price.clean(raw(n, usd=float(n), category="Toys" if n % 2 else None)) for n in range(100)
    ]
    split, turned = Split.of(rows), Split.of(rows[::-1])
    for each in (split, turned):
        splitting.fix_sizes({"train": each}, options, 7, "price")
    assert len(split.rows) == 5
    assert list(turned.rows) == list(split.rows)[::-1]
    assert all(row.price > 50 and row.category is None for row in split.rows)
    assert split.counts == {"dropped_by_size": 95}
    splitting.fix_sizes({"train": split}, None, 7, "price")
    assert len(split.rows) == 5
    split.keep(np.arange(5) < 4)
    with pytest.raises(DataError) as raised:
        splitting.fix_sizes({"train": split}, options, 7, "price")
    assert str(raised.value) == (
        "tasks.price.source.curate.sizes.train: is 5, and only 4 rows of train can be drawn"
    )


def test_weights_multiply_and_what_is_not_named_weighs_1():
    options = PriceCurate.model_validate(
        {
            "sizes": {"test": 5},
            "weights": {
                "category": {"Toys": 0.5},
                "price": [{"up_to": 50, "weight": 0.1}, {"up_to": 240, "weight": 0.4}],
            },
        }
    )
    pairs = [(50.0, "Toys"), (50.1, "Toys"), (240.0, None), (241.0, "Tools")]
    weights = [options.weight(price.clean(raw(1, usd=usd, category=c))) for usd, c in pairs]
    assert weights == pytest.approx([0.05, 0.2, 0.4, 1.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"price": {"min": 5, "max": 4}}, r"min: is 5, must not be above max \(4\)"),
        ({"min_tokens": 200, "token_budget": 100}, "min_tokens: is 200, must not be above"),
        ({"weights": {"category": {"Toys": 2}}}, "of which none is set"),
        ({"weights": {"price": [{"up_to": n, "weight": 1} for n in (5, 5)]}}, "each higher"),
        ({"weights": {"price": [{"up_to": n, "weight": 1} for n in (None, 5)]}}, "in the order"),
        ({"scrub": ["names"]}, "part_numbers"),
        ({"categories": []}, "at least 1"),
    ],
)  # fmt: skip
def test_options_that_contradict_themselves_are_mistakes(options, message):
    with pytest.raises(ValidationError, match=message):
        PriceCurate.model_validate(options)


def test_text_without_blanks_is_truncated_where_it_is():
    text = "\u8fd9\u662f\u4e00\u4e2a" * 50
    assert curation.tokens(text) == 200
    assert curation.within(text, 16) == text[:16]
    assert curation.within(f"Great item! {text}", 16) == f"Great item! {text[:13]}"


@pytest.mark.parametrize(
    "word", ["US$1,299.00", "1920X1080", "100-240VAC", "5000MAH", "1299.00USD", "INR1,29,900"]
)
def test_amounts_and_measures_are_no_part_numbers(word):
    assert curation.scrub(f"It is {word} now", "part_numbers") == f"It is {word} now"


def test_of_an_instruction_its_context_is_measured_and_scrubbed_too():
    fields = InstructionTask.fields
    options = {"scrub": ["long_numbers"], "characters": {"min": 30}, "token_budget": 16}
    kind = Curated(instruction, fields.read, Curate.model_validate(options))
    rows = [
        {"place": "row 1", "id": "1", "instruction": "Which is it?", "response": "a"},
        {
            "place": "row 2",
            "id": "2",
            "instruction": "Which is it?",
            "context": "Of ref4006381333931 these, one two three four five six seven, the last.",
            "response": "seven",
        },
    ]
    split = cleaning.clean(rows, kind, "instructions/train.jsonl")
    (row,) = split.rows
    assert curation.tokens(row.input) <= 16
    assert row.model_dump(exclude_unset=True) == {
        "id": "2",
        "instruction": "Which is it?",
        "context": "Of these, one two three four five six",
        "response": "seven",
    }
    assert split.counts == {
        "rows": 2,
        "dropped_too_short": 1,
        "found_with_context": 1,
        "found_long_numbers": 1,
        "found_over_token_budget": 1,
    }
