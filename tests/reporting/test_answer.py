"""Words and tables of the answer; how it looks on the page is for test_page and test_browser."""

import pytest

from finetune.core.schema import Bootstrap
from finetune.reporting import answer, numbers
from finetune.reporting.material import Material
from finetune.tasks.scores import METRICS

BOOTSTRAP = Bootstrap(resamples=1000, confidence=0.95, seed=1)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"source": "embedded"}, "Published, on real data: not comparable"),
        ({"source": "files"}, "Published: measured otherwise, not comparable"),
        ({}, "Published: measured otherwise, not comparable"),
    ],
)
def test_published_figures_are_not_beside_generated_rows_without_a_word(source, said):
    assert answer.published_elsewhere(Material("chats", "summarization", source=source)) == said


@pytest.mark.parametrize(("p", "said"), [(1 / 1001, "≤ 0.001"), (0.032, "0.032")])
def test_the_least_p_that_so_many_draws_can_give_is_a_bound(p, said):
    gain = {"mae": {"mean": -5.0, "low": -6.0, "high": -4.0, "p": p}}
    table = answer.gains(Material("price", "price", {"tuned": {"gain": gain}}), BOOTSTRAP)
    assert table.rows == [["mean absolute error (USD)", "−5.00 [−6.00,\xa0−4.00]", said]]


def test_every_metric_has_a_meaning():
    assert {name for metrics in METRICS.values() for name in metrics} == set(numbers.MEANINGS)
