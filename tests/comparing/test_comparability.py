from finetune.comparing.comparability import changed_params, lacking
from finetune.comparing.runs import Run

ERRORS = [1.0, 2.0, 3.0]


def test_a_task_that_only_one_has_is_lacking(run):
    before = run("a", ERRORS)
    other = Run("b", {}, {"price": "summarization", "more": "price"}, {})
    assert lacking(before, other) == ["price"]
    assert lacking(before, before) == []


def test_changed_params_are_those_of_another_value_or_type(run):
    before = run("a", ERRORS, x=1, only_before=2)
    after = run("b", ERRORS, x=1.0, **{"lora.r": 64})
    assert changed_params(before, after) == {
        "lora.r": (16, 64),
        "x": (1, 1.0),
        "only_before": (2, None),
    }
