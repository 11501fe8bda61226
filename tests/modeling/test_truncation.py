import pytest

from finetune.core.errors import DataError
from finetune.core.schema import Prompt
from finetune.modeling import truncation
from finetune.modeling.prompts import PromptEncoder
from finetune.modeling.truncation import Truncated, sample, truncated
from finetune.tasks.summarization.rows import Row

PROMPT = Prompt(instruction="Go.", cue=":", max_tokens=32, max_completion_tokens=8)


@pytest.fixture
def encoder(load, tiny_model) -> PromptEncoder:
    base = load(tiny_model)
    return PromptEncoder(base.tokenizer, PROMPT, base.context)


def test_truncated_prompts_and_answers_are_counted(encoder):
    rows = [
        Row(id="a", dialogue="Hi.", summary="Hi."),
        Row(id="b", dialogue="word " * 100, summary="Hi."),
        Row(id="c", dialogue="word " * 100, summary="word " * 100),
    ]
    counts = truncated(rows, encoder)
    assert counts == Truncated(rows=3, prompts=2, completions=1)
    assert counts.metrics() == {"rows": 3, "prompts_truncated": 2, "completions_truncated": 1}


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (
            Truncated(1000, 51, 0),
            r"mine: 51 of 1,000 prompts of test rows are truncated \(5\.1%\), more than "
            r"data\.max_truncated allows \(5\.0%\): raise tasks\.mine\.prompt\.max_tokens "
            r"\(now 32\), or data\.max_truncated",
        ),
        (
            Truncated(1000, 50, 400),
            r"400 of 1,000 answers of test rows .*\.prompt\.max_completion_tokens \(now 8\)",
        ),
    ],
)
def test_too_many_are_refused_in_one_line_with_what_to_raise(encoder, counts, says):
    with pytest.raises(DataError, match=says) as raised:
        counts.check("mine", "test", encoder, 0.05)
    assert "\n" not in str(raised.value)
    counts.check("mine", "test", encoder, 0.4)


def test_where_the_context_is_what_a_prompt_does_not_fit_it_says_so(encoder):
    wide = PROMPT.model_copy(update={"max_tokens": 4000})
    with pytest.raises(DataError, match="now 4000, of which the model's context of 256 leaves 248"):
        Truncated(10, 9, 0).check("t", "train", PromptEncoder(encoder.tokenizer, wide, 256), 0.05)


def test_of_many_rows_a_seeded_sample_is_counted(encoder, monkeypatch):
    monkeypatch.setattr(truncation, "ALL_ROWS", 20)
    monkeypatch.setattr(truncation, "SAMPLE", 5)
    assert list(sample(20)) == list(range(20))
    drawn = sample(21)
    assert drawn == sample(21) == sorted(set(drawn))
    assert len(drawn) == 5
    rows = [Row(id=str(n), dialogue="word " * 100, summary="Hi.") for n in range(21)]
    assert truncated(rows, encoder) == Truncated(5, 5, 0)
