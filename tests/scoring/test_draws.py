import numpy as np
import pytest

from finetune.core.schema import Bootstrap, Eval, TextEval
from finetune.scoring import draws
from finetune.scoring.metrics import FLAGS, Metric
from finetune.tasks import registry
from finetune.tasks.math.options import MathEval

POINTS = Metric(key="points", columns=("points",), title="points")
MODELS_ONLY = Metric(key="other", columns=("other",), title="other")


def rows(*points: float, **more: object) -> list[dict]:
    return [{"id": str(i), "points": value, **more} for i, value in enumerate(points)]


def test_rows_are_divided_by_draw_in_their_order_and_the_first_has_no_key():
    first, second, third = rows(1, 2), rows(3, 4, draw=1), rows(5, 6, draw=2)
    assert draws.by_draw([*first, *second, *third]) == [first, second, third]
    assert draws.by_draw(first) == [first]
    assert draws.by_draw([]) == []


def test_the_spread_is_over_the_scores_of_draws():
    scored = [rows(10, 20, other=1), rows(18, 18), rows(20, 26)]
    assert draws.spread([POINTS, MODELS_ONLY], scored, "examples") == {
        "draws": {
            "n": 3,
            "of": "examples",
            "points": {
                "mean": 18.6667, "sd": 4.0415, "low": 15, "high": 23, "values": [15, 18, 23],
            },
        }
    }  # fmt: skip
    assert draws.spread([POINTS], scored[:1], "examples") == {}
    assert draws.spread([POINTS], [], "examples") == {}


TEXT = TextEval(shots=2, seed=5, decode="greedy", beams=2, samples=2, temperature=0.7)
MATH = MathEval(shots=0, seed=5, strategy="greedy", samples=2, temperature=0.7)


@pytest.mark.parametrize(
    ("shots", "options", "said"),
    [
        (2, Eval(shots=2, seed=5), "examples"),
        (2, TEXT, "examples"),
        (0, TEXT.model_copy(update={"decode": "beam"}), ""),
        (0, TEXT.model_copy(update={"decode": "mbr"}), "samples"),
        (2, TEXT.model_copy(update={"decode": "sample"}), "examples and samples"),
        (0, MATH, ""),
        (0, MATH.model_copy(update={"strategy": "self_consistency"}), "samples"),
    ],
)
def test_what_is_drawn_is_named(shots, options, said):
    assert draws.of(shots, options) == said
    assert options.is_random == ("samples" in said)


def same(pairs, _) -> list[float]:
    return [100.0 * (one["points"] == other["points"]) for one, other in pairs]


def test_rows_of_the_first_draw_say_how_far_all_draws_agree():
    scored = [rows(1, 2, 3), rows(1, 2, 4), rows(1, 5, 6)]
    first, second, third = draws.with_agreement(scored, FLAGS, same, None)
    assert [row["draw_agreement"] for row in first] == [100, 33.3333, 0]
    assert [second, third] == scored[1:]
    assert "draw_agreement" not in scored[0][0]


def test_no_answer_agrees_with_nothing_not_even_with_itself():
    scored = [rows(1, empty=True), rows(1, empty=True), rows(1)]
    assert draws.with_agreement(scored, FLAGS, same, None)[0][0]["draw_agreement"] == 0


def test_without_further_draws_or_a_kind_that_compares_there_is_no_agreement():
    for scored, agree in (([rows(1)], same), ([], same), ([rows(1), rows(1)], None)):
        assert draws.with_agreement(scored, FLAGS, agree, None) == scored


def test_agreement_of_draws_has_the_interval_of_the_rows():
    rng = np.random.default_rng(3)
    options = Bootstrap(resamples=100, confidence=0.95, seed=0)
    metric, held = draws.agreement_metric("for a test"), 0
    for _ in range(200):
        # Two answers of five, equally likely: two draws agree in a half of the pairs.
        scored = [rows(*rng.integers(2, size=60)) for _ in range(5)]
        first, *_ = draws.with_agreement(scored, FLAGS, same, None)
        interval = metric.interval(first, options)
        held += interval.low <= 50 <= interval.high
    assert 180 <= held <= 200


@pytest.mark.parametrize(
    ("kind", "equal", "other"),
    [
        ("summarization", {"prediction": "Ann is here"}, {"prediction": "Bob left"}),
        ("instruction", {"prediction": "\u4f60\u597d"}, {"prediction": "Bob left"}),
        ("classification", {"prediction": "a"}, {"prediction": "b"}),
        ("price", {"prediction": 3.0}, {"prediction": 4.0}),
        ("math", {"answer": "1/3"}, {"answer": "0.3"}),
    ],
)
def test_every_kind_says_when_two_answers_agree(kind, equal, other):
    agree = registry.draw_agreement(kind)
    options = registry.options(kind).Task.section_type("score").model_construct(stemmer=True)
    assert agree([(equal, equal), (equal, other)], options) == [100, 0]
    assert draws.AGREEMENT in {metric.key for metric in registry.scores(kind).METRICS}
