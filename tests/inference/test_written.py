import pytest

from finetune.core.errors import ParamsError
from finetune.core.schema import TextEval
from finetune.inference import written
from finetune.inference.written import Decoding, TextRequest, Written
from finetune.tasks.math.options import MathEval
from finetune.tasks.math.predict import from_texts as solutions
from finetune.tasks.math.rows import Row as Problem
from finetune.tasks.summarization.rows import Row

ROWS = [Row(id=str(n), dialogue="A: Hi.", summary="Hi.") for n in range(2)]
SAID = ["a dog barks", "a dog", "no idea at all"]


def request(asked: list[Decoding], **options: object) -> TextRequest:
    values = {"shots": 0, "seed": 5, "decode": "greedy", "beams": 2, "samples": 3}
    evaluation = TextEval(**{**values, "temperature": 0.7, **options})

    def ask(decoding: Decoding) -> list[list[Written]]:
        asked.append(decoding)
        return [[Written(text) for text in SAID[: decoding.samples]] for _ in ROWS]

    return TextRequest(rows=ROWS, train=ROWS, eval=evaluation, prompt=None, ask=ask)


@pytest.mark.parametrize(
    ("decode", "decoding"),
    [
        ("greedy", Decoding(0.0, 1, 5)),
        ("sample", Decoding(0.7, 1, 5)),
        ("mbr", Decoding(0.7, 3, 5)),
    ],
)
def test_texts_are_drawn_as_the_options_say(decode, decoding):
    asked: list[Decoding] = []
    predictions = written.texts(request(asked, decode=decode))
    assert asked == [decoding]
    # The sample that is most like the others.
    assert [row["prediction"] for row in predictions] == ["a dog barks"] * 2
    assert predictions[0].keys() == {"id", "prediction", "hit_length_cap", "empty", "refused"}


def test_beam_search_is_refused():
    with pytest.raises(ParamsError, match=r"eval.decode: is beam; a hosted model takes greedy"):
        written.texts(request([], decode="beam"))


def test_a_refusal_is_not_an_empty_answer_too():
    assert written.flags(Written("", refused=True)) == {
        "hit_length_cap": False, "empty": False, "refused": True,
    }  # fmt: skip
    assert written.flags(Written(""))["empty"]


def test_solutions_are_sampled_for_a_majority(prompt):
    rows = [Problem(id="1", question="1 + 1?", answer="#### 2")]
    options = MathEval(shots=0, seed=3, strategy="self_consistency", samples=3, temperature=0.5)
    asked: list[Decoding] = []

    def ask(decoding: Decoding) -> list[list[Written]]:
        asked.append(decoding)
        return [[Written("#### 2"), Written("#### 3", hit_length_cap=True), Written("#### 2")]]

    (row,) = solutions(TextRequest(rows=rows, train=rows, eval=options, prompt=prompt, ask=ask))
    assert asked == [Decoding(0.5, 3, 3)]
    assert row["samples"] == ["#### 2", "#### 3", "#### 2"]
    assert row["samples_hit_length_cap"] == [False, True, False]
    assert "reference_nll" not in row
