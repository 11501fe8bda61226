import pytest

from finetune.columns.candidates import Evidence
from finetune.columns.description import describe
from finetune.scaffold.choosing import refuse, take_best
from finetune.scaffold.guessing import ColumnOptions, guess
from finetune.tasks.instruction import init
from finetune.tasks.instruction.rows import Row

LONG = "A long text of many words, which goes on and on until somebody has read all of it."
PAIR = {"instruction": "Who has it?", "response": "Tom has it."}


@pytest.mark.parametrize(
    ("row", "paths", "evidence"),
    [
        (PAIR, ["response"], "NAME"),
        ({"Question": "Who?", "Answer": "It is Tom."}, ["Answer"], "NAME"),
        ({"query": "Who?", "reply": "Tom.", "answer": "Ann."}, ["reply", "answer"], "AMBIGUOUS"),
        ({"article": LONG, "output": "A summary of it."}, [], "NO_CANDIDATES"),
        ({"question": "How many?", "answer": 5}, [], "NO_CANDIDATES"),
        ({"question": "Who?", "label": "Tom"}, [], "NO_CANDIDATES"),
    ],
)  # fmt: skip
def test_a_response_is_called_so_beside_an_instruction(row, paths, evidence):
    candidates = init.responses(describe([row]), [])
    assert (candidates.paths, candidates.evidence) == (paths, Evidence[evidence])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (PAIR | {"context": LONG, "facts": ["Tom"]},
         {k: k for k in (*PAIR, "context", "facts")}),
        ({"instruction": "Sort.", "input": "b a", "output": "a b"},
         {"instruction": "instruction", "response": "output", "context": "input"}),
        ({"id": "a1", **PAIR, "section": LONG, "made_of": "faq", "file": "a.md", "page": 3},
         {k: k for k in (*PAIR, "section")}),
        ({"text": LONG, "summary": "A text of words."}, {"dialogue": "text", "summary": "summary"}),
        ({"description": LONG, "price": 5.0}, {"text": "description", "price": "price"}),
    ],
)  # fmt: skip
def test_columns_are_guessed_and_other_kinds_are_as_before(row, expected):
    choose = take_best if "output" in row else refuse
    assert guess(describe([row] * 9), ColumnOptions(), choose).fields == expected


@pytest.mark.parametrize(("words", "is_brief"), [(40, True), (41, False)])
def test_the_instruction_follows_from_the_responses(words, is_brief):
    rows = [Row(id="1", instruction="Who?", response=" ".join(["word"] * words), context="Tom.")]
    assert init.values({}, rows) == {"with_context": True, "is_brief": is_brief}
