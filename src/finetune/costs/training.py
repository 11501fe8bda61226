"""What training costs: as it was measured, or as it is planned for a GPU."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune.core.schema import Params


@dataclass(frozen=True)
class Training:
    """Costs of training in USD, None where they are not known; `how` says of what, or why not."""

    usd: float | None
    how: str


def measured(train: Mapping[str, Any], usd_per_hour: float | None) -> Training:
    """The cost of the run in a task's `train.json`."""
    run = train.get("run", {})
    if "provider" in run:  # paid by the token, not by the hour
        how = f"the bill of {run['provider']}"
        known = "usd" in run
        return Training(run.get("usd"), how if known else "set run.hosted_prices.training")
    minutes = run.get("minutes")
    if minutes is None:
        return Training(None, "not measured: train.json has no time")
    how = f"measured: {minutes:g} minutes on {run.get('device', 'a machine')}"
    if usd_per_hour is None:
        return Training(None, f"{how}; set run.usd_per_hour")
    return Training(usd_per_hour * minutes / 60, how)


def planned(settings: Params, task: str, gpu: str) -> Training:
    """The cost of a run on a GPU of `finetune plan`, by its plan.

    Raises:
        UserError: the GPU is not known, or the model's shapes or the data are not.
    """
    from finetune.planning import machines, plan  # takes seconds to import (torch)

    machine = machines.of(gpu, settings.run.memory_gb).split(settings.run.processes)
    of_task = plan.of(settings, task, machine)
    if of_task.budget is None:
        return Training(None, f"does not fit on {machine.name}: use {of_task.advice}")
    minutes = of_task.seconds / 60
    how = f"planned: {minutes:.3g} minutes on {machine.name}, by {machine.assumption}"
    usd_per_hour = settings.run.usd_per_hour
    if usd_per_hour is None:
        return Training(None, f"{how}; set run.usd_per_hour")
    return Training(usd_per_hour * minutes / 60, how)
