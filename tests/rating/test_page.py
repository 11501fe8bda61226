import random
from html import unescape
from pathlib import Path

import pytest
from rated_workspace import BASE, TUNED, page_content

from finetune.core.errors import UserError
from finetune.rating import answers, command, page
from finetune.rating.answers import Pair
from finetune.rating.command import Options
from finetune.rating.kind_rating import KindRating

PAIRS = [Pair(str(n), f"{n:012x}", (f"one {n}", "two " * (1 + n % 3)), f"r {n}") for n in range(40)]
SWAPPED = [Pair(p.row, p.input, p.answers[::-1], p.reference) for p in PAIRS]


def built(drawn: list[tuple[Pair, bool]], references: bool = False) -> str:
    items = [
        page.item(pair, is_first_left, f"text {pair.row}", "USD", references)
        for pair, is_first_left in drawn
    ]
    return page.html("mine", "test", KindRating(), items)


def test_the_page_is_the_same_whichever_run_is_named_first():
    drawn = page.draw(PAIRS, 30, random.Random(3))
    mirrored = page.draw(SWAPPED, 30, random.Random(3))
    assert [pair.row for pair, _ in drawn] == [pair.row for pair, _ in mirrored]
    # The same answers on the same sides: not a byte knows which run was named first.
    same_sides = [(pair, not is_first_left) for pair, is_first_left in mirrored]
    assert built(drawn) == built(same_sides)
    assert built(drawn) != built(mirrored)


def test_another_assignment_of_sides_is_another_page_in_nothing_but_sides():
    drawn = page.draw(PAIRS, 30, random.Random(3))
    one, other = (
        page_content(built([(pair, is_first_left ^ flip) for pair, is_first_left in drawn]))
        for flip in (False, True)
    )
    for item, mirrored in zip(one["items"], other["items"], strict=True):
        for this, that in (("left", "right"), ("left_hash", "right_hash")):
            assert (item.pop(this), item.pop(that)) == (mirrored.pop(that), mirrored.pop(this))
    one.pop("page"), other.pop("page")
    assert one == other


def test_each_answer_stands_on_either_side_and_any_row_in_any_place():
    drawn = [page.draw(PAIRS, 40, random.Random(seed)) for seed in range(100)]
    left = [is_first_left for each in drawn for _, is_first_left in each]
    assert 1850 <= sum(left) <= 2150  # of 4,000: 2,000 ± 4.7 standard errors
    first_rows = {each[0][0].row for each in drawn}
    assert len(first_rows) > 30


def test_no_name_of_a_run_stands_in_the_page_and_nobody_can_draw_it_again(workspace):
    texts = []
    for out in ("a.html", "b.html"):
        command.run(workspace.folder, [BASE, TUNED], Options(rows=50, out=Path(out)))
        text = (workspace.folder / out).read_text()
        # But for names of colours, which all pages share, and what stands in the rows.
        shared = page.html("", "", KindRating(), [])
        for name in ("workspace", "base", "tuned"):
            there = text.casefold().count(name) - shared.casefold().count(name)
            items = page_content(text)["items"]
            said = sum(str(item).casefold().count(name) for item in items)
            assert there == said
        texts.append(text)
    assert texts[0] != texts[1]


def test_a_seed_makes_the_page_again(workspace):
    for out in ("a.html", "b.html"):
        command.run(workspace.folder, [BASE, TUNED], Options(rows=20, out=Path(out), seed=5))
    one, other = ((workspace.folder / out).read_text() for out in ("a.html", "b.html"))
    assert one == other


def test_what_is_not_rated_is_counted(workspace, capsys):
    command.run(workspace.folder, [BASE, TUNED], Options(rows=20))
    said = " ".join(capsys.readouterr().out.split())
    assert "ratings/samsum.html: 20 of 60 test rows of samsum; left out: 10 that both" in said
    assert "30 that were not drawn" in said
    rows = [item["row"] for item in page_content(workspace.page.read_text())["items"]]
    assert len(set(rows)) == 20
    assert not {f"test-{n}" for n in range(10)} & set(rows)


def test_texts_of_the_data_are_never_markup(workspace):
    command.run(workspace.folder, [BASE, TUNED], Options(rows=50))
    text = workspace.page.read_text()
    assert "<b>" not in text.partition('id="data"')[2]
    assert "Row 12? <b>" in " ".join(item["input"] for item in page_content(text)["items"])
    assert "default-src 'none'; script-src 'sha256-" in unescape(text)
    assert "://" not in text


def test_references_are_in_the_page_only_where_they_were_asked_for():
    drawn = page.draw(PAIRS, 5, random.Random(1))
    assert {item["reference"] for item in page_content(built(drawn))["items"]} == {None}
    (pair, _), *_ = drawn
    assert page_content(built(drawn, True))["items"][0]["reference"] == pair.reference


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "(no answer)"),
        ("12", "12"),
        (12.0, "12.00 EUR"),
        (1234.5, "1,234.50 EUR"),
    ],
)
def test_numbers_are_shown_alike_whatever_their_digits(answer, said):
    assert answers.shown(answer, "EUR") == said


def test_an_answer_that_nobody_gave_is_not_shown_as_one():
    flags = answers.registry.scores("price").FLAGS
    row = {"prediction": 38.0, "unparsable": True}
    run = answers.Run("a", {}, {}, {})
    assert answers._answer(flags, row, run, "price") is None
    assert answers._answer(flags, {**row, "unparsable": False}, run, "price") == 38.0
    with pytest.raises(UserError, match="a: has no answers of price, only their scores"):
        answers._answer(flags, {}, run, "price")


def test_models_that_say_the_same_or_nothing_are_not_rated(workspace):
    with pytest.raises(UserError, match="answer all 60 rows alike: there is nothing to rate"):
        command.run(workspace.folder, [TUNED, TUNED], Options())
    workspace.write(["A text."] * 20, ["A text."] * 10 + [""] * 10)
    with pytest.raises(UserError, match="samsum: workspace has no answer in 10 of 20 rows"):
        command.run(workspace.folder, [BASE, TUNED], Options())


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        ([BASE, TUNED], {"task": "price"}, "--task price: no such task; .* in common: samsum"),
        ([BASE, TUNED], {"rows": 0}, "--rows 0: must be 1 or more"),
        ([BASE, TUNED], {"split": "validation"}, "validation rows of samsum are not scored"),
        (["workspace:few_shot", TUNED], {}, "few_shot.jsonl is not there; run `dvc repro`"),
    ],
)
def test_what_cannot_be_rated_is_one_line(workspace, names, options, said):
    with pytest.raises(UserError, match=said):
        command.run(workspace.folder, names, Options(**options))


def test_texts_of_other_data_are_noticed(workspace):
    file = workspace.folder / "data/prepared/samsum/test.jsonl"
    file.write_text(file.read_text().replace("Row 7?", "Row 77?"))
    with pytest.raises(UserError, match="its rows are not those that workspace:base was asked"):
        command.run(workspace.folder, [BASE, TUNED], Options())
    file.unlink()
    with pytest.raises(UserError, match="samsum: the texts of the rows are nowhere: workspace:"):
        command.run(workspace.folder, [BASE, TUNED], Options())
