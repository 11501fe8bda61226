"""All that a person needs to decide: costs and scores of each form, hosted prices, assumptions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.comparing import runs, sources
from finetune.comparing.sources import Source
from finetune.composition import compose, flat
from finetune.core import params, paths
from finetune.core.errors import ParamsError, UserError
from finetune.core.files import read_jsonl, read_text
from finetune.core.schema import Costs, Params
from finetune.costs import forms, offers, training, volume
from finetune.costs.forms import Form, Speed
from finetune.costs.offers import Offer, Request
from finetune.costs.training import Training
from finetune.costs.volume import Machine
from finetune.reporting import tables
from finetune.scoring.metrics import Metric
from finetune.tasks import registry

# Requests a month at a speed, and at the ends of its interval where it has one; None is never.
Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class BreakEven:
    """The fewest requests a month at which a form is cheaper than an offer; None is never.

    `ends` are those at the ends of the speed's interval, None where it has none.
    """

    requests: float | None
    ends: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class TaskCosts:
    """Costs of a task; `remarks` say what is missing, and why.

    metrics: the task's metric files by name; machine: None where its price is not known.
    """

    task: str
    metric: Metric
    metrics: Mapping[str, Any]
    training: Training
    forms: Sequence[Form]
    offers: Sequence[Offer]
    request: Request | None
    machine: Machine | None
    months_of_use: float
    remarks: Sequence[str] = field(default_factory=tuple)

    @property
    def training_per_month(self) -> float:
        """The training, spread over the months in which the model is used; 0 if not known."""
        return (self.training.usd or 0.0) / self.months_of_use

    def usd(self, form: Form) -> tuple[float, float | None, float | None] | None:
        """USD for a request of a form, with the ends of its interval where the speed has one."""
        if self.machine is None or form.speed is None:
            return None
        speed = form.speed
        low, high = (
            None if end is None else self.machine.usd(end) for end in (speed.low, speed.high)
        )
        return self.machine.usd(speed.seconds), low, high

    def kept_on(self, form: Form, offer: Offer) -> BreakEven | None:
        """The volume at which a machine that is kept on is cheaper; None if that is not known."""
        return self._break_even(volume.kept_on, form.speed, offer)

    def rented(self, form: Form, offer: Offer) -> BreakEven | None:
        """The same of a machine that is rented for the hours that the requests take."""
        return self._break_even(volume.rented, form.speed, offer)

    def _break_even(
        self,
        of: Callable[[Machine, float, float, float], float | None],
        speed: Speed | None,
        offer: Offer,
    ) -> BreakEven | None:
        if self.machine is None or speed is None or not offer.usd:
            return None
        machine, usd, trained = self.machine, offer.usd, self.training_per_month

        def at(seconds: float) -> float | None:
            return of(machine, seconds, trained, usd)

        if speed.low is None or speed.high is None:
            return BreakEven(at(speed.seconds))
        return BreakEven(at(speed.seconds), (at(speed.low), at(speed.high)))


@dataclass(frozen=True)
class Assessment:
    """Of all tasks, with the parameters and assumptions that it rests on.

    warning: that the metrics are not those of the parameters, if so.
    """

    settings: Params
    assumptions: Costs
    tasks: Sequence[TaskCosts]
    warning: str = ""


def assess(
    root: Path, overrides: Sequence[str] = (), gpu: str | None = None, hosted: str | None = None
) -> Assessment:
    """The costs of what was measured here, under the parameters with overrides.

    With `gpu` training is planned for one. `hosted` is a revision whose model is a hosted one.

    Raises:
        UserError: the parameters hold no assumptions, or a revision no hosted model.
    """
    settings, is_measured = _settings(root, overrides)
    assumptions = settings.run.costs
    if assumptions is None:
        raise ParamsError("params.yaml: has no run.costs; `finetune params` composes it")
    run = None if hosted is None else (hosted, sources.revision(root, hosted))
    tasks = [
        _task(root, settings, assumptions, task, gpu, run, is_measured) for task in settings.tasks
    ]
    return Assessment(settings, assumptions, tasks, _warning(root) if is_measured else "")


def _warning(root: Path) -> str:
    try:
        runs.check(root)
    except UserError as error:
        return f"Warning: {error}"
    return ""


def _settings(root: Path, overrides: Sequence[str]) -> tuple[Params, bool]:
    """The parameters, and whether metrics/ are of them: they differ in nothing but `run`."""
    written = read_text(root / "params.yaml")
    if not overrides:
        return params.validate_text(written, "params.yaml"), True
    composed = compose(root, list(overrides))
    before, after = (
        {key: value for key, value in flat(text).items() if not key.startswith("run.")}
        for text in (written, composed)
    )
    return params.validate_text(composed, "conf"), before == after


def _task(
    root: Path,
    settings: Params,
    assumptions: Costs,
    task: str,
    gpu: str | None,
    run: tuple[str, Source] | None,
    is_measured: bool,
) -> TaskCosts:
    options = settings.tasks[task]
    metrics = tables.read(root / "metrics", task) if is_measured else {}
    remarks = [] if is_measured else ["metrics/ are of other parameters: nothing is measured"]
    if gpu is not None:
        trained = training.planned(settings, task, gpu)
    else:
        trained = training.measured(metrics.get("train", {}), settings.run.usd_per_hour)
    if trained.usd is None:
        remarks.append(f"cost of training, which break-even leaves out: {trained.how}")
    of_model: list[Form] = []
    if is_measured and not settings.model.is_hosted:
        of_model, lines = forms.of_task(root, task, metrics)
        remarks += [*(f"{form.name}: {form.missing}" for form in of_model if form.missing), *lines]
    request = _request(root, settings, task, assumptions)
    offered: list[Offer] = []
    if request is None:
        remarks.append(f"{paths.prepared(task)}: no test rows, so that requests have no size")
    else:
        offered = offers.listed(assumptions, request)
        if not is_measured:
            remarks.append(
                f"the rows of these parameters: hosted prices are of the {request.rows:,} test "
                f"rows in {paths.prepared(task)}, which the run in params.yaml prepared"
            )
        if settings.model.is_hosted:
            here = sources.workspace(root)
            offered = [*offers.of_run(here, "params.yaml", task, request), *offered]
        if run is not None:
            asked = offers.of_run(run[1], run[0], task, request)
            if not asked:
                remarks.append(f"{run[0]}: has no scores of {task} by its hosted model")
            offered = [*asked, *offered]
    remarks += _of_other_rows(offered, metrics.get(forms.TUNED, {}))
    usd_per_hour = settings.run.usd_per_hour
    if usd_per_hour is None and not settings.model.is_hosted:
        remarks.append("price of the machine: set run.usd_per_hour")
    return TaskCosts(
        task=task,
        metric=registry.metrics(options.kind, options.primary, options.prompt)[0],
        metrics=metrics,
        training=trained,
        forms=of_model,
        offers=offered,
        request=request,
        machine=None
        if usd_per_hour is None
        else Machine(
            usd_per_hour, assumptions.utilization.value, assumptions.hours_per_month.value
        ),
        months_of_use=assumptions.months_of_use.value,
        remarks=remarks,
    )


def _of_other_rows(offered: Sequence[Offer], tuned: Mapping[str, Any]) -> list[str]:
    """A line for each hosted model that was scored on another number of rows."""
    return [
        f"{offer.name} on the same rows: its scores are of {offer.scores['n']} test rows, the "
        f"tuned model's of {tuned['n']}"
        for offer in offered
        if offer.scores and tuned and offer.scores["n"] != tuned["n"]
    ]


def _request(root: Path, settings: Params, task: str, assumptions: Costs) -> Request | None:
    """The mean request, of the prepared test rows; None where there are none."""
    file = root / paths.prepared(task) / "test.jsonl"
    if not file.is_file():
        return None
    options = settings.tasks[task]
    kind = registry.rows(options.kind)
    rows = [kind.Row(**row) for row in read_jsonl(file)]
    if not rows:
        return None
    return offers.request(rows, options.prompt, assumptions.bytes_per_token.value)
