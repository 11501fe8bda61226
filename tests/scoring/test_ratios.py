import numpy as np
import pytest

from finetune.scoring import ratios


def test_a_ratio_of_lengths_is_the_mean_of_one_over_the_mean_of_the_other():
    assert ratios.ratio(np.array([10.0, 2.0]), np.array([5.0, 7.0])) == pytest.approx(1.0)


def test_perplexity_is_the_number_of_tokens_that_a_model_wavers_between():
    # Two references of 3 and 1 tokens, every token one of eight equally likely.
    nats = np.log(8) * np.array([3.0, 1.0])
    assert ratios.perplexity(nats, np.array([3.0, 1.0])) == pytest.approx(8)


def test_perplexity_weighs_tokens_not_rows():
    nats, tokens = np.array([9 * np.log(2), np.log(32)]), np.array([9.0, 1.0])
    assert ratios.perplexity(nats, tokens) == pytest.approx(2**1.4)


@pytest.mark.parametrize("statistic", [ratios.ratio, ratios.perplexity])
def test_resamples_are_scored_along_the_axis_of_rows(statistic):
    tops, bottoms = np.array([[1.0, 2.0], [2.0, 2.0]]), np.array([[1.0, 1.0], [4.0, 2.0]])
    one_by_one = [float(statistic(*rows)) for rows in zip(tops, bottoms, strict=True)]
    assert statistic(tops, bottoms, axis=-1) == pytest.approx(one_by_one)


def test_rows_whose_references_are_all_empty_have_no_ratio():
    assert ratios.ratio(np.array([[3.0, 1.0]]), np.array([[0.0, 0.0]])).tolist() == [0.0]
