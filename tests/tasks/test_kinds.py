import pytest

from finetune.core import params, schema
from finetune.core.errors import ParamsError
from finetune.tasks import price, scores, summarization
from finetune.tasks.kinds import KINDS, kind

ROWS = {
    "summarization": {"id": "1", "dialogue": "A: Hi.", "summary": "A greets."},
    "price": {"id": "1", "text": "A lamp", "price": 9.6, "category": None},
}


def test_a_kind_is_its_module():
    assert kind("summarization") is summarization
    assert kind("price") is price


def test_an_unknown_kind_is_told_with_the_known_ones():
    with pytest.raises(ParamsError, match="kind: is 'prices', must be one of summarization, price"):
        kind("prices")


@pytest.mark.parametrize("name", KINDS)
def test_a_clean_row_is_as_it_was_with_the_fields_of_its_kind(name):
    clean = kind(name).clean(ROWS[name])
    assert clean == ROWS[name]
    assert tuple(clean) == kind(name).FIELDS


@pytest.mark.parametrize(
    ("name", "body", "target"),
    [("summarization", "A: Hi.", "A greets."), ("price", "A lamp", "10")],
)
def test_what_the_model_reads_is_the_field_after_the_id(name, body, target):
    row = ROWS[name]
    assert kind(name).body(row) == row[kind(name).FIELDS[1]] == body
    assert kind(name).target(row) == target


def test_every_kind_can_be_configured_and_scored():
    configured = {
        task.model_fields["kind"].annotation.__args__[0]
        for task in (schema.SummarizationTask, params.PriceTask)
    }
    assert configured == set(KINDS) == set(scores.METRICS)
