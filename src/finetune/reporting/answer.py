"""The answer: base → tuned, the ladder, and all numbers in a table."""

from finetune.core.schema import Bootstrap, PriceTask, SummarizationTask
from finetune.reporting import dots, numbers, sentences, standings
from finetune.reporting.dots import Line, Mark
from finetune.reporting.facts import Table
from finetune.reporting.material import Material
from finetune.reporting.numbers import Measure
from finetune.reporting.parts import Figure, Part, difference
from finetune.reporting.sentences import Verdict
from finetune.reporting.standings import Lead, Standing

# What a rung does, for those who do not know its name.
RUNGS = {
    "lead1": "the first line",
    "lead3": "the first three lines",
    "longest3": "the three longest lines",
    "lexrank": "the most central lines",
    "oracle3": "bound: the best three lines",
    "mean": "one price: the mean of train",
    "median": "one price: the median of train",
    "category_median": "the median of the category",
    "ridge": "linear regression on words",
    "svr": "support vectors on words",
    "random_forest": "decision trees on words",
    "boosting": "boosted trees on words",
    "neighbours": "prices of the most alike",
}


ASKED = {
    "base": "the base model",
    "few_shot": "the base model with examples",
    "tuned": "the tuned model",
}


def _gain(material: Material, measure: Measure) -> dict[str, float] | None:
    return material.metrics.get("tuned", {}).get("gain", {}).get(measure.key)


def verdict(
    material: Material, found: list[Standing], measure: Measure, bootstrap: Bootstrap
) -> Verdict | None:
    """What tuning did to the first metric; None before both models are scored."""
    base, tuned = (standings.by_role(found, role) for role in ("base", "tuned"))
    gain = _gain(material, measure)
    if not (base and tuned and gain):
        return None
    lead = Lead(gain["mean"], gain["low"], gain["high"], gain["p"])
    if not measure.higher_is_better:
        lead = lead.seen_from_behind()
    rung = standings.best_rung(found, measure.higher_is_better)
    rung_lead = standings.lead(material, rung, bootstrap) if rung else None
    return sentences.verdict(measure, base, tuned, lead, rung, rung_lead, bootstrap.confidence)


def change(material: Material, measure: Measure) -> str:
    """The paired difference of the first metric as text; empty before there is one."""
    gain = _gain(material, measure)
    if not gain:
        return ""
    return difference(gain, measure, measure.unit)


def answer(
    name: str,
    material: Material,
    found: list[Standing],
    options: SummarizationTask | PriceTask,
    measure: Measure,
    bootstrap: Bootstrap,
) -> Part:
    """The ladder, and what else there is to say of the scores."""
    if not found:
        return Part(missing=["No scores were written yet; run `dvc repro`."])
    part = Part(notes=_notes(material, found, measure, bootstrap))
    if not any(s.role in ("rung", "bound") for s in found):
        part.missing.append("No rung of the ladder was run for this task.")
    ranked = sorted(found, key=lambda s: s.score, reverse=measure.higher_is_better)
    lines = [_line(s, measure) for s in ranked]
    published = sorted(
        (p for p in options.published if measure.key in p.scores),
        key=lambda p: p.scores[measure.key],
        reverse=measure.higher_is_better,
    )
    lines += [
        Line(
            p.name,
            p.protocol,
            measure.number(p.scores[measure.key]),
            (Mark("published", *[p.scores[measure.key]] * 3),),
            apart=True,
        )
        for p in published
    ]
    axis = f"{measure.title} ({measure.unit}), {measure.direction}"
    title = f"{material.task}: " + "; ".join(f"{s.name} {measure.amount(s.score)}" for s in ranked)
    wide, narrow = (
        dots.dots(
            f"{name}-ladder-{width}", title, lines, axis, width,
            published_elsewhere(material),
        )
        for width in (dots.WIDE, dots.NARROW)
    )  # fmt: skip
    level = numbers.percent(bootstrap.confidence)
    caption = (
        "Best first. Each rung is a simpler way to do the task: a tuned model that does not beat "
        f"them is not worth its cost. Lines are {level} bootstrap intervals over the test rows."
    )
    if any(s.role == "bound" for s in found):
        caption += (
            " A diamond is the bound of a kind of rung: it was told the reference, and is no "
            "competitor. A model that writes words of its own may pass it."
        )
    part.figures.append(Figure("The ladder", caption, wide, narrow))
    return part


def _line(standing: Standing, measure: Measure) -> Line:
    notes = {
        "base": "the untuned model",
        "few_shot": "untuned, with examples in the prompt",
        "tuned": "with its adapter",
    }
    note = notes.get(standing.role) or RUNGS.get(standing.key, "")
    if standing.role == "bound" and not note.startswith("bound"):
        note = f"bound: {note}" if note else "bound"
    if standing.is_partial:
        part = f"{numbers.number(standing.rows, 0)} of {numbers.number(standing.of, 0)} rows only"
        note = f"{part}; {note}" if note else part
    return Line(
        standing.name,
        note,
        f"{measure.number(standing.score)} {measure.ends(standing.low, standing.high)}",
        (Mark(standing.role, standing.score, standing.low, standing.high),),
        is_strong=standing.role == "tuned",
    )


def published_elsewhere(material: Material) -> str:
    """What divides published figures from those of this run."""
    if material.source.get("source") == "embedded":
        return "Published, on real data: not comparable"
    return "Published: measured otherwise, not comparable"


def _notes(
    material: Material, found: list[Standing], measure: Measure, bootstrap: Bootstrap
) -> list[str]:
    """What puts the scores in their place: how weak the base is, few-shot prompts, part rungs."""
    told = []
    base = standings.by_role(found, "base")
    rungs = [s for s in found if s.role == "rung" and not s.is_partial]
    if base:
        told += sentences.weak_base(base, rungs, measure.higher_is_better)
    told += [
        sentences.without_answer(ASKED[s.role], s.scores)
        for s in found
        if s.scores.get("unparsable") and "outside" in s.scores
    ]
    for standing in found:
        if standing.role == "few_shot":
            shots = max((r.get("shots", 0) for r in material.predictions.get("few_shot", [])),
                        default=0)  # fmt: skip
            given = f"up to {shots} examples" if shots else "examples"
            who = f"The base model with {given} in its prompt scores"
        elif standing.role == "rung" and standing.is_partial:
            part = f"{numbers.number(standing.rows, 0)} of {numbers.number(standing.of, 0)}"
            who = f"{standing.name} answered {part} rows; over these its score is"
        else:
            continue
        lead = standings.lead(material, standing, bootstrap)
        told.append(sentences.against(measure, standing, lead, who, bootstrap.confidence))
    return told


def scores(material: Material, found: list[Standing]) -> Table:
    """All metrics of all that was scored, each with its interval."""
    keys = list(
        dict.fromkeys(
            key
            for standing in [*reversed(found)]
            for key in standing.scores
            if key in numbers.KNOWN
            or (key in standing.scores.get("interval", {}) and not key.endswith("_share"))
        )
    )
    measures = [numbers.measure(material.kind, key) for key in keys]
    rows = [
        [f"{s.name} (bound)" if s.role == "bound" else s.name, numbers.number(s.rows, 0),
         *(_cell(s, m) for m in measures)]
        for s in found
    ]  # fmt: skip
    heads = [f"{m.title} ({m.unit})" if m.unit not in ("", "points") else m.title for m in measures]
    return Table(["", "rows", *heads], rows)


def gains(material: Material, bootstrap: Bootstrap) -> Table:
    """The paired difference tuned − base in each metric, with its interval and its p-value."""
    least = 1 / (bootstrap.resamples + 1)
    gain = material.metrics.get("tuned", {}).get("gain", {})
    rows = []
    for key, found in gain.items():
        measure = numbers.measure(material.kind, key)
        p = found.get("p")
        said = "–" if p is None else f"≤ {least:.1g}" if p <= 1.01 * least else f"{p:.2g}"
        name = f"{measure.title} ({measure.unit})" if measure.unit else measure.title
        rows.append([name, difference(found, measure), said])
    return Table(["tuned − base, paired", "difference", "p (permutation)"], rows)


def meanings(material: Material, found: list[Standing]) -> list[tuple[str, str]]:
    """What the columns of `scores` mean, by their titles."""
    keys = dict.fromkeys(key for standing in found for key in standing.scores)
    return [
        (numbers.measure(material.kind, key).title, meaning)
        for key, meaning in numbers.MEANINGS.items()
        if key in keys
    ]


def _cell(standing: Standing, measure: Measure) -> str:
    value = standing.scores.get(measure.key)
    ends = standing.scores.get("interval", {}).get(measure.key)
    text = measure.number(value)
    return f"{text} {measure.ends(ends['low'], ends['high'])}" if ends else text
