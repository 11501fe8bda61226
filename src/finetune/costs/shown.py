"""Costs in words and tables, for a terminal and the page alike."""

import math

from finetune.core import paths
from finetune.core.schema import Origin
from finetune.costs.assessment import Assessment, BreakEven, TaskCosts
from finetune.costs.forms import TUNED, Form, Metrics
from finetune.costs.offers import Offer, version
from finetune.reporting import tables
from finetune.reporting.parts import Table
from finetune.scoring import baselines, numbers

THOUSAND = 1000
MILLION, BILLION = 10**6, 10**9
NOT_MEASURED = "not measured"
ASSUMED = {
    "utilization": "utilization",
    "hours_per_month": "hours a month, kept on",
    "months_of_use": "months of use of a model",
    "bytes_per_token": "bytes a hosted token",
}


def usd(value: float | None) -> str:
    """A sum of any size to three digits: `0.00241`, `3.14`, `1,250`."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def requests(value: float | None) -> str:
    """A count to three digits: `850`, `1.25 million`; `never` for None."""
    if value is None:
        return "never"
    rounded = math.ceil(value)
    rounded = round(rounded, -max(0, len(str(rounded)) - 3))
    for unit, word in ((BILLION, " billion"), (MILLION, " million")):
        if rounded >= unit:
            return f"{rounded / unit:,.12g}{word}"
    return f"{rounded:,}"


def answers(of: TaskCosts) -> Table:
    """A row for each form and hosted model: what 1,000 requests cost, and how good they are."""
    head = ["", "USD per 1,000 requests", of.metric.heading, f"difference to {TUNED}"]
    rows = [
        [form.name, _usd(of, form), score(of, form.scores), _difference(of, form)]
        for form in of.forms
    ]
    rows += [
        [offer.name, usd(offer.usd and offer.usd * THOUSAND), score(of, offer.scores), ""]
        for offer in of.offers
    ]
    rows += [[name, "", score(of, scores), ""] for name, scores in _others(of)]
    return Table(head, rows)


def _others(of: TaskCosts) -> list[tuple[str, Metrics]]:
    """What else was scored: the base model, and the best baseline, which cost next to nothing."""
    rows = [("base model", of.metrics["base"])] if of.forms and "base" in of.metrics else []
    of_baselines = of.metrics.get("baselines", {})
    best = baselines.best(of_baselines, of.metric)
    return [*rows, (f"baseline {best}", of_baselines[best])] if best else rows


def score(of: TaskCosts, scores: Metrics) -> str:
    """The primary score with its interval, or why there is none."""
    key = of.metric.key
    if key in scores:
        return tables.with_interval(dict(scores), key)
    return tables.no_answer(scores) or NOT_MEASURED


def _usd(of: TaskCosts, form: Form) -> str:
    costs = of.usd(form)
    if costs is None:
        return NOT_MEASURED if form.speed is None else "–"
    middle, low, high = (None if each is None else each * THOUSAND for each in costs)
    return usd(middle) if low is None else f"{usd(middle)} [{usd(low)}, {usd(high)}]"


def _difference(of: TaskCosts, form: Form) -> str:
    gain = form.scores.get("difference", {}).get(of.metric.key) if form.name != TUNED else None
    if not gain:
        return ""
    mean, low, high = (
        numbers.signed(gain[end], of.metric.decimals + 1) for end in ("mean", "low", "high")
    )
    return f"{mean} [{low}, {high}]"


def break_even(of: TaskCosts) -> Table:
    """The fewest requests a month at which each form is cheaper than each hosted model."""
    offered = [offer for offer in of.offers if offer.usd]
    rows = []
    for form in of.forms:
        if of.usd(form) is None:
            continue
        rows.append([f"{form.name}, kept on", *(_cell(of.kept_on(form, o)) for o in offered)])
        rows.append([f"{form.name}, by the hour", *(_cell(of.rented(form, o)) for o in offered)])
    return Table(["requests a month, from", *(offer.name for offer in offered)], rows)


def _cell(of: BreakEven | None) -> str:
    if of is None:
        return "–"
    middle = requests(of.requests)
    ends = [requests(end) for end in of.ends or ()]
    return f"{middle} [{', '.join(ends)}]" if any(end != middle for end in ends) else middle


def cheapest(of: TaskCosts) -> Offer | None:
    """The hosted model that costs least for a request."""
    priced = [offer for offer in of.offers if offer.usd is not None]
    return min(priced, key=lambda offer: offer.usd or 0.0, default=None)


def sentences(of: TaskCosts, confidence: float) -> list[str]:
    """The assessment of a task, each sentence true whichever way the numbers fall."""
    offer = cheapest(of)
    own = of.usd(of.forms[0]) if of.forms else None
    said = []
    if own is not None:
        said.append(f"1,000 requests to the tuned model cost {_usd(of, of.forms[0])} USD.")
    if offer is not None and offer.usd is not None:
        said.append(
            f"Of the hosted models {offer.name} costs least, {usd(offer.usd * THOUSAND)} USD for "
            f"1,000 requests ({offer.origin})."
        )
    if own is not None and offer is not None:
        said += _against(of, offer)
    if of.training.usd is not None:
        said.append(f"Training costs {usd(of.training.usd)} USD ({of.training.how}).")
    if of.offers:
        said.append(_quality(of, confidence))
    return said


def _against(of: TaskCosts, offer: Offer) -> list[str]:
    form, said = of.forms[0], []
    kept_on, rented = of.kept_on(form, offer), of.rented(form, offer)
    if kept_on is None or rented is None or of.machine is None or form.speed is None:
        return []
    if kept_on.requests is None:
        said.append(
            "A machine of one's own that is kept on is never cheaper: at its capacity of "
            f"{requests(of.machine.capacity(form.speed.seconds))} requests a month it costs "
            f"{usd(of.machine.usd_per_month)} USD."
        )
    else:
        said.append(
            f"A machine of one's own that is kept on ({usd(of.machine.usd_per_month)} USD a month) "
            f"is cheaper from {_cell(kept_on)} requests a month on; it answers up to "
            f"{requests(of.machine.capacity(form.speed.seconds))}."
        )
    if rented.requests is None:
        said.append("Rented by the hour, it is never cheaper.")
    elif of.training_per_month:
        said.append(
            f"Rented by the hour, it is cheaper from {_cell(rented)} requests a month on, which "
            "pay for the training."
        )
    else:
        said.append("Rented by the hour, it is cheaper at any number of requests.")
    return said


def _quality(of: TaskCosts, confidence: float) -> str:
    tuned = score(of, of.metrics.get(TUNED, {}))
    scored = [offer.name for offer in of.offers if offer.scores]
    missing = len(of.offers) - len(scored)
    quality = (
        f"Quality: the tuned model has {of.metric.heading} {tuned} "
        f"({numbers.percent(confidence)} interval)"
        if of.metrics.get(TUNED)
        else "Quality: the tuned model's was not measured"
    )
    if not missing:
        return f"{quality}; the hosted models' scores stand beside it."
    return (
        f"{quality}; that of {missing} of {len(of.offers)} hosted models was not measured: a lower "
        "price alone decides nothing."
    )


def assumptions(of: Assessment) -> Table:
    """Every number that was assumed, with its day and its source."""
    costs = of.assumptions
    rows = [
        _assumed(
            "USD an hour of the machine", "run.usd_per_hour", of.settings.run.usd_per_hour,
            costs.usd_per_hour,
        ),
        *(
            _assumed(name, f"run.costs.{key}.value", getattr(costs, key).value, getattr(costs, key))
            for key, name in ASSUMED.items()
        ),
        ["list prices", "run.costs.hosted", ", ".join(costs.hosted.models), costs.hosted.date,
         f"{version()}, an offline list; not asked of the providers"],
    ]  # fmt: skip
    return Table(["assumption", "parameter", "value", "date", "source"], rows)


def _assumed(name: str, key: str, value: float | None, origin: Origin) -> list[str]:
    shown = "not known" if value is None else f"{value:,.6g}"
    return [name, key, shown, origin.date or "not known", origin.source or "not known"]


def requested(of: TaskCosts) -> str:
    """The size of a request, in a sentence."""
    if of.request is None:
        return ""
    return (
        f"A request is the mean of the {of.request.rows:,} test rows in {paths.prepared(of.task)}: "
        f"about {numbers.number(of.request.input, 0)} tokens to read and "
        f"{numbers.number(of.request.output, 0)} to write as hosted models count (estimated of "
        "bytes; references for answers)."
    )


def speeds(of: TaskCosts) -> Table:
    """What was measured of each form."""
    rows = [
        [form.name, f"{1000 * form.speed.seconds:.3g}", form.speed.how]
        for form in of.forms
        if form.speed is not None
    ]
    return Table(["", "ms a request", "measured"], rows)
