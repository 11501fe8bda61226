import pytest

from finetune.columns.candidates import Evidence
from finetune.columns.description import describe
from finetune.tasks.summarization import init
from finetune.tasks.summarization.rows import Row

LONG = "A long text of many words, which goes on and on until somebody has read all of it."
SHORT = "A text of some words."


@pytest.mark.parametrize(
    ("row", "taken", "paths", "evidence"),
    [
        ({"a": LONG, "b": SHORT}, [], ["b"], "ELIMINATION"),
        ({"a": LONG, "summary": "Short"}, [], ["summary"], "NAME"),
        ({"a": LONG, "b": [SHORT, SHORT]}, [], ["b"], "ELIMINATION"),
        ({"a": LONG, "b": SHORT, "abstract": SHORT}, [], ["abstract", "b"], "NAME"),
        ({"a": LONG, "b": SHORT, "c": SHORT}, [], ["b", "c"], "AMBIGUOUS"),
        ({"a": LONG, "b": SHORT, "c": "A label"}, ["b"], [], "NO_CANDIDATES"),
        ({"a": LONG, "b": f"{LONG} More.", "label": "Good"}, [], [], "NO_CANDIDATES"),
        ({"a": 5}, [], [], "NO_CANDIDATES"),
    ],
)
def test_a_summary_is_shorter_than_its_input_and_more_than_a_label(row, taken, paths, evidence):
    candidates = init.summaries(describe([row]), taken)
    assert (candidates.paths, candidates.evidence) == (paths, Evidence[evidence])


@pytest.mark.parametrize(
    ("field", "words", "noun", "length"),
    [
        ("thread.chat", 12, "dialogue", "one sentence"),
        ("Dialog", 13, "dialogue", "one or two sentences"),
        ("article", 41, "text", "a few sentences"),
    ],
)
def test_the_instruction_follows_from_the_input_s_name_and_the_summaries(
    field, words, noun, length
):
    row = Row(id="1", dialogue=LONG, summary=" ".join(["word"] * words))
    assert init.values({"dialogue": field}, [row]) == {"noun": noun, "length": length}
