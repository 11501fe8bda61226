"""How many requests a month make a machine of one's own cheaper than a hosted model."""

import math
from dataclasses import dataclass

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Machine:
    """A machine that answers: its price, and how much of it is used; `utilization` is in (0, 1]."""

    usd_per_hour: float
    utilization: float
    hours_per_month: float

    def usd(self, seconds: float) -> float:
        """What a request of so many seconds costs, where paid hours are used so far."""
        return self.usd_per_hour / SECONDS_PER_HOUR * seconds / self.utilization

    @property
    def usd_per_month(self) -> float:
        """What it costs to keep it on."""
        return self.usd_per_hour * self.hours_per_month

    def capacity(self, seconds: float) -> float:
        """The requests a month that it answers when it is kept on."""
        return SECONDS_PER_HOUR * self.hours_per_month * self.utilization / seconds


def monthly(machine: Machine, seconds: float, training: float, requests: float) -> float:
    """What requests cost a month on as many machines as they need, all kept on, with training."""
    count = max(1, math.ceil(requests / machine.capacity(seconds)))
    return count * machine.usd_per_month + training


def kept_on(machine: Machine, seconds: float, training: float, hosted: float) -> float | None:
    """The fewest requests a month at which machines that are kept on are cheaper; None for never.

    `training` is in USD a month, `hosted` in USD for a request. Each further machine has to be
    filled in its turn, so that slightly more requests can be more expensive again.
    """
    full = machine.capacity(seconds)
    gain = full * hosted - machine.usd_per_month  # of a machine at its capacity
    if gain <= 0:
        return None
    count = max(1, math.ceil(training / gain))
    return max((count * machine.usd_per_month + training) / hosted, (count - 1) * full)


def rented(machine: Machine, seconds: float, training: float, hosted: float) -> float | None:
    """The fewest requests a month at which a machine is cheaper by the hour; None for never.

    Rented for the hours that the requests take at its utilization: what it waits is paid, too.
    """
    saved = hosted - machine.usd(seconds)
    return training / saved if saved > 0 else None
