import numpy as np
import pytest

from finetune.core.calibration import covered
from finetune.inference import distributions

VALUES = np.arange(1000)


@pytest.fixture(params=range(5))
def distribution(request) -> np.ndarray:
    drawn = np.random.default_rng(request.param).random(1000) ** 8
    return drawn / drawn.sum()


def on(**prices: float) -> np.ndarray:
    """A distribution by hand: on(p5=0.5, p20=0.5)."""
    found = np.zeros(1000)
    for name, probability in prices.items():
        found[int(name[1:])] = probability
    return found


def test_the_median_minimizes_the_expected_absolute_error(distribution):
    errors = np.abs(VALUES[:, None] - VALUES) @ distribution
    assert distributions.median(distribution) == errors.argmin()


def test_half_of_the_mass_at_a_price_makes_it_the_median():
    assert distributions.median(on(p5=0.5, p20=0.5)) == 5
    assert distributions.median(on(p5=0.49, p20=0.51)) == 20


def test_the_greedy_estimate_is_the_likeliest_price():
    assert distributions.greedy(on(p5=0.3, p20=0.4, p30=0.3)) == 20


def test_the_top_k_mean_of_all_prices_minimizes_the_expected_squared_error(distribution):
    mean = distributions.top_k_mean(distribution, 1000)
    assert mean == pytest.approx(VALUES @ distribution)


def test_the_top_k_mean_weighs_the_likeliest_prices():
    found = on(p10=0.4, p20=0.2, p400=0.1, p500=0.3)
    assert distributions.top_k_mean(found, 1) == 10
    assert distributions.top_k_mean(found, 2) == pytest.approx((4 + 150) / 0.7)
    assert distributions.top_k_mean(found, 3) == pytest.approx((4 + 150 + 4) / 0.9)


def test_estimates_go_by_their_names(distribution):
    found = distributions.estimates(distribution, 3)
    assert tuple(found) == distributions.ESTIMATES
    assert found["median"] == distributions.median(distribution)


@pytest.mark.parametrize("price", [-3.0, 0.0, 0.4, 57.99, 500.0, 999.0, 1200.0])
def test_crps_is_the_integral_that_defines_it(distribution, price):
    # ∫ (F(x) - [x ≥ price])² dx; F is constant between whole dollars, and the grid has their ends.
    ends = np.unique(np.append(np.arange(-10.0, 1301.0), price))
    below = np.append(np.cumsum(distribution), 1.0)
    cumulated = np.where(ends < 0, 0.0, below[np.clip(np.floor(ends), 0, 1000).astype(int)])
    squares = (cumulated - (ends >= price)) ** 2
    integral = (squares[:-1] * np.diff(ends)).sum()
    assert distributions.crps(distribution, price) == pytest.approx(integral, abs=1e-8)


def test_crps_of_one_certain_price_is_the_absolute_error():
    assert distributions.crps(on(p40=1.0), 57.5) == pytest.approx(17.5)


@pytest.mark.parametrize("price", [0.0, 57.99, 300.0, 999.0, 1200.0])
@pytest.mark.parametrize("outside", [0.0, 0.02, 0.4, 1.0])
def test_charged_crps_is_that_of_the_worst_place_for_the_mass_on_no_price(
    distribution, outside, price
):
    def whole(end: int) -> float:
        # E|X - price| - E|X - X'| / 2, by sums over all pairs of prices.
        masses = (1 - outside) * distribution + outside * (end == VALUES)
        pairs = np.abs(VALUES[:, None] - VALUES)
        return masses @ np.abs(VALUES - price) - masses @ pairs @ masses / 2

    found = distributions.crps_charged(distribution, outside, price)
    assert found == pytest.approx(max(whole(end) for end in (*range(0, 999, 37), 999)), abs=1e-8)
    plain = distributions.crps(distribution, price)
    assert found >= plain - 1e-9
    assert outside or found == pytest.approx(plain)


def test_a_model_that_names_no_price_is_charged_all_that_it_could_be_off():
    assert distributions.crps_charged(np.zeros(1000), 1.0, 99.0) == pytest.approx(900.0)
    assert distributions.crps_charged(np.zeros(1000), 1.0, 600.0) == pytest.approx(600.0)


def test_the_span_of_a_true_price_is_the_mass_on_it():
    found = on(p5=0.2, p20=0.5, p30=0.3)
    spans = [distributions.pit(found, price) for price in (0, 5, 10, 20, 30, 999)]
    expected = [(0, 0), (0, 0.2), (0.2, 0.2), (0.2, 0.7), (0.7, 1), (1, 1)]
    assert np.array(spans) == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    ("below", "upto", "level", "share"),
    [
        (0.3, 0.5, 0.5, 1),  # within 0.25 to 0.75
        (0.1, 0.2, 0.5, 0),
        (0.0, 0.5, 0.5, 0.5),
        (0.2, 0.8, 0.5, 0.5 / 0.6),  # the range lies within the span
        (0.3, 0.3, 0.5, 1),  # no mass on the true price: inside or not
        (0.9, 0.9, 0.5, 0),
        (0.9, 0.9, 0.9, 1),
    ],
)
def test_a_span_is_covered_by_the_share_of_it_that_lies_in_the_range(below, upto, level, share):
    assert covered(np.array(below), np.array(upto), level) == pytest.approx(share)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_ranges_of_a_true_distribution_cover_what_they_promise(distribution, level):
    for true in (distribution, on(p10=0.4, p20=0.6)):
        below, upto = np.array([distributions.pit(true, price) for price in VALUES]).T
        assert true @ covered(below, upto, level) == pytest.approx(level)


def test_quality_holds_the_fields_of_a_row():
    found = distributions.quality(on(p40=1.0), 40.4, 40)
    assert found == {"crps": 0.4, "pit": [0.0, 1.0], "covered_50": 50.0, "covered_90": 90.0}


@pytest.mark.parametrize(("location", "log_scale"), [(3.0, -1.0), (0.0, 0.5), (6.9, -3.0)])
def test_a_laplace_distribution_has_the_mass_of_what_rounds_to_each_price(location, log_scale):
    found = distributions.laplace(location, log_scale, 1000)
    rng = np.random.default_rng(0)
    drawn = np.expm1(rng.laplace(location, np.exp(log_scale), 200_000))
    rounded = np.clip(np.floor(drawn + 0.5), 0, 999).astype(int)
    frequencies = np.bincount(rounded, minlength=1000) / len(drawn)
    assert found.sum() == pytest.approx(1)
    assert np.abs(found - frequencies).max() < 0.005
    assert distributions.median(found) == pytest.approx(np.expm1(location), abs=0.51)


def test_how_often_two_answers_repeat_each_other_is_what_sampling_finds():
    rng = np.random.default_rng(0)
    distribution, outside = rng.dirichlet(np.ones(20)), 0.2
    answers = rng.choice(21, size=(2, 200_000), p=[*(1 - outside) * distribution, outside])
    agreeing = (answers[0] == answers[1]) & (answers[0] < 20)
    assert distributions.repeated(distribution, outside) == pytest.approx(agreeing.mean(), abs=2e-3)
    assert distributions.repeated(np.eye(3)[1], 0.0) == 1
    assert distributions.repeated(None, 1.0) == 0
