import pytest

from finetune.inference.written import TextRequest, Written
from finetune.tasks.classification.options import LabelEval
from finetune.tasks.classification.predict import from_texts, label_in
from finetune.tasks.classification.rows import Row

LABELS = ["billing", "bug report", "bug", "other"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("billing", "billing"),
        ("**Billing.**", "billing"),
        ("This is a bug report.", "bug report"),
        ("Bug", "bug"),
        ("billing or other", None),
        ("I cannot say", None),
        ("", None),
    ],
)
def test_a_label_is_the_text_or_the_only_one_that_it_mentions(text, label):
    assert label_in(text, LABELS) == label


def test_a_row_without_a_label_has_the_most_frequent_one_and_no_distribution(prompt):
    rows = [
        Row(id=str(n), text="A", label=label) for n, label in enumerate(("bug", "bug", "other"))
    ]
    said = [Written("Other!"), Written("?"), Written("", refused=True)]
    request = TextRequest(
        rows=rows,
        train=rows,
        eval=_options(),
        prompt=prompt,
        ask=lambda _: [[each] for each in said],
    )
    predictions = from_texts(request)
    assert [each["prediction"] for each in predictions] == ["other", "bug", "bug"]
    assert [each["unparsable"] for each in predictions] == [False, True, True]
    assert [each["refused"] for each in predictions] == [False, False, True]
    assert not any("probabilities" in each for each in predictions)


def _options() -> LabelEval:
    return LabelEval(shots=0, seed=1, labels=["bug", "other"], length_correction=False)
