import numpy as np
import pytest

from finetune.core.schema import Bootstrap
from finetune.scoring import ratios, regression
from finetune.scoring.row_values import by_cluster, row_values

OPTIONS = Bootstrap(resamples=2000, confidence=0.95, seed=17)


def prices(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    price = rng.lognormal(4, 0.8, rows)
    return price * rng.lognormal(0, 0.4, rows), price


@pytest.mark.parametrize("statistic", [regression.rmsle, regression.r2, ratios.ratio, np.mean])
def test_their_mean_is_the_score_and_their_spread_what_resampling_rows_gives(statistic):
    columns = prices(400)[: 1 if statistic is np.mean else 2]
    values = row_values(columns, OPTIONS, statistic)
    assert values.mean() == pytest.approx(float(statistic(*columns, axis=-1)))
    drawn = np.random.default_rng(1).integers(0, 400, (4000, 400))
    resampled = statistic(*(column[drawn] for column in columns), axis=-1)
    assert values.std(ddof=1) / 20 == pytest.approx(resampled.std(), rel=0.2)


def test_a_median_has_the_bootstraps_standard_error():
    errors = abs(np.subtract(*prices(401)))
    values = row_values([errors], OPTIONS, np.median)
    assert values.mean() == pytest.approx(np.median(errors))
    drawn = np.random.default_rng(1).integers(0, 401, (4000, 401))
    spread = np.median(errors[drawn], axis=-1).std()
    assert values.std(ddof=1) / 401**0.5 == pytest.approx(spread, rel=0.1)


def test_each_row_has_the_pseudo_value_of_the_others():
    columns = prices(7)
    values = row_values(columns, OPTIONS, regression.r2)
    score = float(regression.r2(*columns))
    without = [float(regression.r2(*(np.delete(c, row) for c in columns))) for row in range(7)]
    pseudo_values = 7 * score - 6 * np.array(without)
    assert values == pytest.approx(score + pseudo_values - pseudo_values.mean())


def test_rows_left_out_in_batches_give_the_same(monkeypatch):
    columns = prices(90)
    whole = row_values(columns, OPTIONS, regression.r2)
    monkeypatch.setattr("finetune.scoring.row_values.BATCH_VALUES", 700)
    assert row_values(columns, OPTIONS, regression.r2) == pytest.approx(whole)


@pytest.mark.parametrize("statistic", [regression.rmsle, regression.r2, ratios.ratio])
def test_a_row_left_out_of_thousands_is_worth_what_it_is_among_all(monkeypatch, statistic):
    columns = prices(3000)
    whole = row_values(columns, OPTIONS, statistic)
    monkeypatch.setattr("finetune.scoring.row_values.JACKKNIFE_ROWS", 1000)
    parts = row_values(columns, OPTIONS, statistic)
    assert parts.mean() == pytest.approx(whole.mean())
    assert parts.std() == pytest.approx(whole.std(), rel=0.05)
    assert np.corrcoef(parts, whole)[0, 1] > 0.99


def test_no_rows_and_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="no values"):
        row_values([[]], OPTIONS)
    with pytest.raises(ValueError, match="3 rows cannot be paired with 2"):
        row_values([[1, 2, 3], [1, 2]], OPTIONS, ratios.ratio)


def test_clusters_keep_the_mean_and_count_repeated_rows_once():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(2, 50))
    repeated = np.repeat(values, 4, axis=1)
    clustered = by_cluster(repeated, [n // 4 for n in range(200)])
    assert clustered == pytest.approx(values)
    apart = by_cluster(values, list(range(50)))
    assert apart == pytest.approx(values)
    uneven = by_cluster(values, ["a"] * 10 + list(range(40)))
    assert uneven.shape == (2, 41)
    assert uneven.mean(axis=1) == pytest.approx(values.mean(axis=1))
