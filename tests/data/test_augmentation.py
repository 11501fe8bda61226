import random

import pytest

from finetune.core.errors import DataError, UserError
from finetune.core.files import sha256
from finetune.core.schema import Augment, Paraphrases
from finetune.core.text import input_hash
from finetune.data import paraphrases
from finetune.data.augmentation import Augmented, Names, speakers
from finetune.data.paraphrases import Paraphrase
from finetune.data.split import text_hash
from finetune.tasks.summarization.rows import Row
from synthetic.rows import dialogues

DIALOGUE = "Anna: Will Tom come?\nTom: Anna's mother will.\nWill: He said so, Anna.\n#2: ok"
SUMMARY = "Tom tells Anna that her mother comes."
ROW = Row(id="1", dialogue=DIALOGUE, summary=SUMMARY)
OTHERS = [
    Row(id=name, dialogue=f"{name}: Hello.", summary=f"{name} greets.")
    for name in ("Zoé", "Ben", "Cleo", "Mark")
]
MARKED = Row(id="x", dialogue="Ben: I mark it.\nBen: ben here.", summary="Ben marks it.")
BENS = [Row(id=str(n), dialogue="Ben: I am Ben.", summary="Ben is Ben.") for n in range(5)]


def test_speakers_are_those_called_by_one_capitalized_word():
    assert speakers(DIALOGUE) == ["Anna", "Tom", "Will"]
    assert speakers("Mr Smith: hi\nguest: hi\nhttp://x: y") == []


def test_names_that_are_words_too_are_left_alone():
    names = Names.of([ROW, *OTHERS, MARKED, *BENS])
    assert list(names.pronouns) == ["Anna", "Ben", "Cleo", "Tom", "Zoé"]


def test_names_are_exchanged_for_some_with_the_same_pronouns():
    rows = [
        Row(id=name, dialogue=f"{name}: I am late.", summary=f"{name} says that {who} is late.")
        for who, names in (("she", ("Anna", "Eve", "Zoé")), ("he", ("Tom", "Jim", "Pit")))
        for name in names
    ]
    names = Names.of([*rows, *OTHERS[1:2]])
    assert names.pronouns == {
        "Anna": "she", "Ben": None, "Eve": "she", "Jim": "he", "Pit": "he", "Tom": "he",
        "Zoé": "she",
    }  # fmt: skip
    for row in rows:
        made = names.renamed(row, 0, seed=3)
        assert made is not None
        (new,) = speakers(made.dialogue)
        assert new != row.id
        assert names.pronouns[new] == names.pronouns[row.id]


def test_a_speaker_has_the_same_new_name_in_dialogue_and_summary():
    made = Names(dict.fromkeys(["Anna", "Ben", "Cleo", "Tom"])).renamed(ROW, 0, seed=1)
    assert made is not None
    names = dict(zip(speakers(DIALOGUE), speakers(made.dialogue), strict=True))
    assert names["Will"] == "Will"
    assert {names["Anna"], names["Tom"]} == {"Ben", "Cleo"}
    assert made.summary == f"{names['Tom']} tells {names['Anna']} that her mother comes."
    assert f"{names['Anna']}'s mother will." in made.dialogue
    assert "Anna" not in made.dialogue + made.summary


def test_all_references_are_renamed():
    row = ROW.model_copy(update={"references": (SUMMARY, "Anna asks Tom.")})
    made = Names(dict.fromkeys(["Anna", "Ben", "Cleo", "Tom"])).renamed(row, 0, seed=1)
    assert made is not None
    assert made.references[0] == made.summary
    assert not {"Anna", "Tom"} & set(made.references[1].rstrip(".").split())


def test_a_row_is_left_out_where_names_do_not_suffice():
    assert Names(dict.fromkeys(["Anna", "Tom", "Ben"])).renamed(ROW, 0, seed=1) is None
    nobody = Row(id="2", dialogue="Hello.", summary="A greeting.")
    assert Names(dict.fromkeys(["Anna"])).renamed(nobody, 0, seed=1) is None


def test_copies_differ_by_number_and_seed_and_depend_on_nothing_else():
    stream = dialogues.rows(random.Random(0))
    rows = [
        Row(id=str(n), dialogue=raw["dialogue"], summary=raw["summary"])
        for n, raw in zip(range(200), stream, strict=False)
    ]
    names = Names.of(rows)
    first = [names.renamed(row, 0, seed=1) for row in rows]
    assert sum(row is not None for row in first) > 150
    assert first == [names.renamed(row, 0, seed=1) for row in rows]
    assert first != [names.renamed(row, 1, seed=1) for row in rows]
    assert first != [names.renamed(row, 0, seed=2) for row in rows]
    for row, made in zip(rows, first, strict=True):
        if made is not None:
            assert len(made.dialogue.split("\n")) == len(row.dialogue.split("\n"))
            assert len(made.summary.split()) == len(row.summary.split())


def test_rows_are_called_after_those_that_they_were_made_of_and_counted():
    stream = dialogues.rows(random.Random(0))
    rows = [
        Row(id=str(n), dialogue=raw["dialogue"], summary=raw["summary"])
        for n, raw in zip(range(50), stream, strict=False)
    ]
    nobody = Row(id="x", dialogue="Hello.", summary="A greeting.")
    augmented = Augmented([*rows, nobody], Augment(rename_speakers=2), "dialogue", seed=1)
    made = list(augmented)
    assert [row.id for row in made[:3]] == ["0/renamed-1", "0/renamed-2", "1/renamed-1"]
    assert {row.made_from for row in made} <= {row.id for row in rows}
    assert augmented.counts == {"added_renamed": len(made), "not_renamed": 102 - len(made)}
    assert "made_from" not in rows[0].model_dump(exclude_unset=True)
    assert len({row.dialogue for row in [*rows, *made]}) == 50 + len(made)


def test_a_copy_that_is_a_known_row_is_left_out():
    rows = [
        Row(id="1", dialogue="Ann: Hi.", summary="Ann greets."),
        Row(id="2", dialogue="Cat: Bye.", summary="Cat leaves."),
    ]
    made = list(Augmented(rows, Augment(rename_speakers=1), "dialogue", seed=1))
    assert [row.dialogue for row in made] == ["Cat: Hi.", "Ann: Bye."]
    augmented = Augmented(rows, Augment(rename_speakers=1), "dialogue", 1, {text_hash("Cat: Hi.")})
    assert [row.dialogue for row in augmented] == ["Ann: Bye."]
    assert augmented.counts == {"repeated_renamed": 1, "added_renamed": 1}


def test_a_copy_that_is_near_a_row_that_was_held_out_is_left_out():
    rows = [
        Row(id="1", dialogue="Ann: Hi.", summary="Ann greets."),
        Row(id="2", dialogue="Cat: Bye.", summary="Cat leaves."),
    ]
    options = Augment(rename_speakers=1)

    def is_near(texts):
        return ["Bye" in text for text in texts]

    augmented = Augmented(rows, options, "dialogue", 1, is_near=is_near)
    assert [row.dialogue for row in augmented] == ["Cat: Hi."]
    assert augmented.counts == {"repeated_renamed": 1, "added_renamed": 1}


def paraphrase(row_id: str, own: str, text: str) -> Paraphrase:
    return Paraphrase(row_id, input_hash(own), text, "teacher-1")


def test_paraphrases_are_rows_of_their_own_and_say_so(tmp_path):
    rows = [Row(id=n, dialogue=f"Ann: {n}.", summary="Ann counts.") for n in ("1", "2", "3")]
    file = tmp_path / "texts.jsonl"
    given = [
        paraphrase("2", "Ann: 2.", "Ann: Two!"),
        paraphrase("2", "Ann: 2.", "Ann: A pair!"),
        paraphrase("2", "Ann: 2.", "Ann: Two!"),  # said already
        paraphrase("9", "Ann: 9.", "Ann: Nine!"),  # no such row
        paraphrase("1", "Ann: Uno.", "Ann: One!"),  # the row is another one now
        paraphrase("3", "Ann: 3.", "Ann: 1."),  # a row that is there
    ]
    paraphrases.write(file, given)
    pinned = Paraphrases(file=str(file), sha256=sha256(file))
    augmented = Augmented(
        rows, Augment(paraphrases=pinned), "dialogue", 1, {text_hash(row.dialogue) for row in rows}
    )
    assert [row.model_dump(exclude_unset=True) for row in augmented] == [
        {"id": f"2/paraphrase-{n}", "dialogue": text, "summary": "Ann counts.", "made_from": "2"}
        for n, text in ((1, "Ann: Two!"), (2, "Ann: A pair!"))
    ]
    assert augmented.counts == {
        "added_paraphrase": 2, "repeated_paraphrase": 2, "unused_paraphrase": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "1", "text_hash": "a", "paraphrase": " ", "teacher": "t"}\n',
        "[1]\n",
        '{"id": 1, "text_hash": "a", "paraphrase": "x", "teacher": "t"}\n',
        '{"id": "1", "paraphrase": "x"}\n',
        "{\n",
    ],
)
def test_a_file_that_holds_no_paraphrases_is_refused(tmp_path, text):
    file = tmp_path / "texts.jsonl"
    file.write_text(text)
    with pytest.raises(UserError, match=r"texts\.jsonl: line 1"):
        paraphrases.read(Paraphrases(file=str(file), sha256=sha256(file)))


def test_only_the_file_that_is_pinned_is_read(tmp_path):
    file = tmp_path / "texts.jsonl"
    pinned = Paraphrases(file=str(file), sha256="0" * 64)
    with pytest.raises(DataError, match=r"texts\.jsonl: no such file"):
        paraphrases.read(pinned)
    paraphrases.write(file, [paraphrase("1", "Ann: 1.", "Ann: One!")])
    with pytest.raises(DataError, match="the task's config pins 0000"):
        paraphrases.read(pinned)
