import evaluate
import pytest

from finetune.scoring import rouge_metric

PREDICTIONS = ["the cats sat", "", "a dog"]
REFERENCES = ["the cat sat on the mat", "the cat", "a dog"]


@pytest.fixture(scope="module")
def metric() -> evaluate.Metric:
    return evaluate.load(rouge_metric.__file__, keep_in_memory=True)


def test_it_is_a_metric_of_evaluate_with_the_plain_mean_over_rows(metric):
    means = metric.compute(predictions=PREDICTIONS, references=REFERENCES)
    assert set(means) == {"rouge1", "rouge2", "rougeL", "rougeLsum"}
    # Rows of 4/9, 0 and 1.
    assert means["rouge1"] == pytest.approx(100 * (4 / 9 + 0 + 1) / 3)


def test_without_the_aggregator_every_row_keeps_its_scores(metric):
    rows = metric.compute(predictions=PREDICTIONS, references=REFERENCES, use_aggregator=False)
    assert rows["rouge1"] == pytest.approx([400 / 9, 0, 100])


def test_lsum_goes_by_sentences(metric):
    means = metric.compute(
        predictions=["One two. Three four."], references=["Three four. One two."]
    )
    assert (means["rougeL"], means["rougeLsum"]) == pytest.approx((50, 100))


def test_a_row_may_have_several_references(metric):
    several = [[reference, "the cats sat"] for reference in REFERENCES]
    rows = metric.compute(predictions=PREDICTIONS, references=several, use_aggregator=False)
    assert rows["rouge1"] == pytest.approx([100, 0, 100])


def test_the_same_rows_give_the_same_figure_with_every_call(metric):
    calls = [metric.compute(predictions=PREDICTIONS, references=REFERENCES) for _ in range(3)]
    assert calls[0] == calls[1] == calls[2]


def test_the_stemmer_is_an_option(metric):
    means = metric.compute(predictions=PREDICTIONS, references=REFERENCES, use_stemmer=True)
    assert means["rouge1"] == pytest.approx(100 * (6 / 9 + 0 + 1) / 3)
