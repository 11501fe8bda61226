"""From which volume on a machine of one's own is cheaper."""

import math

import pytest

from finetune.costs import volume
from finetune.costs.volume import Machine

MACHINE = Machine(usd_per_hour=1.0, utilization=0.5, hours_per_month=720)


def test_a_request_costs_its_seconds_at_the_price_of_used_hours():
    assert MACHINE.usd(1.8) == pytest.approx(0.001)
    assert MACHINE.capacity(1.8) == pytest.approx(720_000)
    assert MACHINE.usd(1.8) * MACHINE.capacity(1.8) == pytest.approx(MACHINE.usd_per_month)


@pytest.mark.parametrize("training", [0.0, 10.0, 500.0, 5000.0])
@pytest.mark.parametrize("hosted", [0.0011, 0.002, 0.01])
def test_kept_on_it_is_cheaper_from_the_break_even_on_and_not_below(training, hosted):
    first = volume.kept_on(MACHINE, 1.8, training, hosted)
    assert first is not None

    def saved(requests: float) -> float:
        return hosted * requests - volume.monthly(MACHINE, 1.8, training, requests)

    assert saved(first + 1) >= 0
    assert all(saved(first * part) < 0 for part in (0.1, 0.5, 0.9, 0.99, 0.9999))


def test_kept_on_it_is_never_cheaper_where_a_full_machine_is_not():
    assert volume.kept_on(MACHINE, 1.8, 0.0, 0.00099) is None
    assert volume.rented(MACHINE, 1.8, 10.0, 0.00099) is None


def test_by_the_hour_the_volume_pays_for_the_training():
    assert volume.rented(MACHINE, 1.8, 10.0, 0.002) == pytest.approx(10_000)
    assert volume.rented(MACHINE, 1.8, 0.0, 0.002) == 0
    assert math.isclose(10 + 10_000 * MACHINE.usd(1.8), 10_000 * 0.002)
