import pytest

from finetune.core.schema import Eval, TextEval
from finetune.scoring import draws
from finetune.scoring.metrics import Metric
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
