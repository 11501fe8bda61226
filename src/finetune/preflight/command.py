"""`finetune preflight`: check the machine, its accounts and the plan before a run costs money."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from finetune.composition import compose
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.schema import Params
from finetune.preflight import access, software
from finetune.preflight.finding import Finding, fail


def run(root: Path, overrides: Sequence[str]) -> int:
    """Print a line for each check; 1 if one of them failed.

    Raises:
        ParamsError: the overrides do not compose.
    """
    settings = params.validate_text(compose(root, list(overrides)), "conf")
    failed = 0
    for finding in _findings(root, settings):
        print(finding, flush=True)
        failed += finding.state == "fail"
    print(f"\n{'ready to run' if not failed else f'{failed} to fix before the run'}")
    return int(failed > 0)


def _findings(root: Path, settings: Params) -> Iterator[Finding]:
    """All findings: of the quick checks first, then of those that import torch."""
    yield from software.python(root)
    yield from software.git(root)
    yield from software.remote(root)
    yield from access.files(settings)
    yield from access.of_hub(settings)
    if settings.run.report_to:
        yield from software.trackers(settings.run.report_to)
    if settings.model.is_hosted:  # asks nothing of this machine
        yield from access.of_provider(settings)
        return
    # Imported here: these take seconds.
    from finetune.planning import machines, plan, skeleton
    from finetune.preflight import hardware

    yield from hardware.gpu()
    yield from hardware.step(root, settings)
    try:
        machine = machines.of(None, settings.run.memory_gb).split(settings.run.processes)
        plans = [plan.of(settings, task, machine) for task in settings.tasks]
    except UserError as error:
        yield fail(str(error), "then run preflight again for memory and disk")
        return
    yield from hardware.memory(plans, machine.free)
    yield from hardware.disk(root, settings, plans, skeleton.parameters(settings.model))
