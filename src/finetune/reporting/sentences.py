"""What the numbers say, in plain words; every sentence holds whichever way the numbers fall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.reporting.material import Curve
from finetune.reporting.numbers import TIGHT, Measure, number, percent, share
from finetune.reporting.standings import Lead, Standing
from finetune.reporting.tables import Metrics

Word = Literal["better", "worse", "undecided"]

# Relative changes of a loss below this are within what two runs of other seeds differ by.
NOISE = 0.01
# Gaps between train and validation loss, relative to the former.
SMALL_GAP, LARGE_GAP = 0.05, 0.2
# Logged training losses to take the mean of: single batches scatter.
NEARBY = 10


@dataclass(frozen=True)
class Verdict:
    """One word and one sentence."""

    word: Word
    sentence: str


def word(lead: Lead, confidence: float) -> Word:
    """What is shown: both by the interval, which few rows make too narrow, and by the p-value."""
    if lead.p >= 1 - confidence or lead.low <= 0 <= lead.high:
        return "undecided"
    return "better" if lead.mean > 0 else "worse"


def verdict(
    measure: Measure,
    base: Standing,
    tuned: Standing,
    lead: Lead,
    rung: Standing | None,
    rung_lead: Lead | None,
    confidence: float,
) -> Verdict:
    """Base → tuned, and the tuned model against the best rung.

    The leads are the tuned model's, positive where it is better.
    """
    decided = word(lead, confidence)
    scores = f"from {measure.number(base.score)} to {measure.amount(tuned.score)}"
    level = percent(confidence)
    if decided == "undecided":
        said = (
            f"No difference is shown: {measure.subject} went {scores}, and "
            f"{_tie(measure, _as_change(measure, lead), f'{level} ')}"
        )
    else:
        rose = (decided == "better") == measure.higher_is_better
        effect = "better" if decided == "better" else "worse"
        by = lead if decided == "better" else lead.seen_from_behind()
        said = (
            f"Tuning made the model {effect}: {measure.subject} {'rose' if rose else 'fell'} "
            f"{scores}, by {measure.number(by.mean)} ({level} interval {_range(measure, by)})"
        )
    against_rung = _against_rung(measure, tuned, rung, rung_lead, confidence)
    is_turn = decided == "better" and rung_lead and word(rung_lead, confidence) == "worse"
    return Verdict(decided, f"{said}; {'but ' if is_turn else ''}{against_rung}.")


def _against_rung(
    measure: Measure,
    tuned: Standing,
    rung: Standing | None,
    lead: Lead | None,
    confidence: float,
) -> str:
    if rung is None:
        return "no rung without a language model was run on all rows to hold it against"
    best = f"the best rung without a language model, {rung.name} ({measure.number(rung.score)})"
    if lead is None:
        is_ahead = (tuned.score > rung.score) == measure.higher_is_better
        than = "ahead of" if is_ahead else "not ahead of"
        return f"the tuned model is {than} {best}, without an interval of the difference"
    match word(lead, confidence):
        case "better":
            return f"the tuned model beats {best}, {_by(measure, lead)}"
        case "worse":
            return f"{best}, beats the tuned model, {_by(measure, lead.seen_from_behind())}"
    return f"the tuned model cannot be told from {best}: {_tie(measure, lead)}"


def against(
    measure: Measure, other: Standing, lead: Lead | None, who: str, confidence: float
) -> str:
    """The tuned model against one other; `who` opens the sentence."""
    score = f"{who} {measure.amount(other.score)} {measure.ends(other.low, other.high)}"
    if lead is None:
        return f"{score}."
    match word(lead, confidence):
        case "better":
            return f"{score}; the tuned model is better, {_by(measure, lead)}."
        case "worse":
            by = _by(measure, lead.seen_from_behind())
            return f"{score} and is better than the tuned model, {by}."
    return f"{score}; the tuned model cannot be told from it: {_tie(measure, lead)}."


def _by(measure: Measure, lead: Lead) -> str:
    return f"by {measure.amount(lead.mean)} ({_range(measure, lead)})"


def _tie(measure: Measure, lead: Lead, level: str = "") -> str:
    interval = f"the {level}interval of the difference, {_range(measure, lead)}"
    if lead.low <= 0 <= lead.high:
        return f"{interval}, includes zero"
    return f"for all that {interval}, leaves zero out, so few rows show that by chance too"


def _range(measure: Measure, interval: Lead) -> str:
    return f"{measure.number(interval.low)} to {measure.number(interval.high)}"


def _as_change(measure: Measure, lead: Lead) -> Lead:
    """A lead as a change of the score."""
    return lead if measure.higher_is_better else lead.seen_from_behind()


def wins(pairs: Sequence[tuple[float, float]], higher_is_better: bool) -> str:
    """In how many rows the tuned model is better, worse, the same; pairs are (base, tuned)."""
    if not pairs:
        return "No row was predicted by both models."
    sign = 1 if higher_is_better else -1
    better = sum(sign * (tuned - base) > 0 for base, tuned in pairs)
    same = sum(tuned == base for base, tuned in pairs)
    better, worse, same, of = (
        number(count, 0) for count in (better, len(pairs) - better - same, same, len(pairs))
    )
    return (
        f"Row by row, the tuned model is better in {better} of {of} rows, worse in {worse}, "
        f"and the same in {same}."
    )


def weak_base(base: Standing, rungs: Sequence[Standing], higher_is_better: bool) -> list[str]:
    """That the base model is below most rungs, if it is: a gain over it is then easily had."""
    sign = 1 if higher_is_better else -1
    above = sum(sign * (rung.score - base.score) > 0 for rung in rungs)
    if 2 * above <= len(rungs):
        return []
    return [
        f"By itself the base model does worse than {above} of {len(rungs)} rungs: much of the gain "
        "may be the form of the answer, which a few rows teach."
    ]


def without_answer(who: str, scores: Metrics) -> str:
    """How many answers of a model are no price, and what they count as."""
    return (
        f"{share(scores['unparsable'], scores['n'])} answers of {who} are no price, and count as "
        f"the median of train; {number(scores['outside'], 2)}{TIGHT}% of its probability lies on "
        "what is no price."
    )


def groups(losing: Sequence[tuple[str, str, str, int]], weakest: tuple[str, str] | None) -> str:
    """Where tuning did not help: (group, tuned, base, rows) of each group that it made worse.

    `weakest` is the group with the tuned model's worst score, and that score.
    """
    said = f"It is weakest at {weakest[0]} ({weakest[1]})" if weakest else ""
    if not losing:
        return f"{said}, and in no group worse than the base model." if said else ""
    told = ", ".join(
        f"{group} ({tuned} against {base}, {rows} row{'' if rows == 1 else 's'})"
        for group, tuned, base, rows in losing
    )
    return f"{said}. In these groups it is worse than the base model: {told}."


def coverage(tuned: Metrics) -> str:
    """Whether the tuned model's intervals hold as many prices as they say."""
    found = []
    for level in (50, 90):
        value, ends = (tuned.get(f"coverage_{level}"), _interval(tuned, f"coverage_{level}"))
        if value is None:
            continue
        named, held = percent(level / 100), percent(round(value) / 100)
        said = f"The tuned model's {named} intervals hold the true price in {held} of the rows"
        if ends is None:
            found.append(f"{said}.")
        elif ends["low"] > level:
            found.append(f"{said}: it is underconfident, they are too wide.")
        elif ends["high"] < level:
            found.append(f"{said}: it is overconfident, they are too narrow.")
        else:
            found.append(
                f"{said}: consistent with {named}, as far as {tuned.get('n', 0)} rows tell."
            )
    outside = tuned.get("outside")
    if outside is not None:
        found.append(
            f"On average {number(outside, 2)}{TIGHT}% of its probability lies on what is no price."
            if outside >= 0.005
            else "None of its probability lies on what is no price."
        )
    return " ".join(found)


def _interval(metrics: Metrics, key: str) -> dict[str, float] | None:
    return metrics.get("interval", {}).get(key)


def training(curves: dict[str, Curve], kept: int | None) -> list[str]:
    """The check for overfitting; `kept` is the step whose adapter was kept."""
    validation = curves.get("validation_loss", [])
    if not validation:
        return ["No curve of the validation loss was written, so overfitting cannot be judged."]
    if len(validation) == 1:
        step, loss = validation[0]
        return [
            f"Validation loss was measured once, {_loss(loss)} at step {step}: "
            "too seldom to judge overfitting (train.evaluations).",
            *_gap(curves, step, loss),
        ]
    by_step = dict(validation)
    if kept not in by_step:
        kept = min(validation, key=lambda point: point[1])[0]
    return [_shape(validation, kept, by_step[kept]), *_gap(curves, kept, by_step[kept])]


def _shape(validation: Curve, kept: int, loss: float) -> str:
    (first, at_first), (last, at_last) = validation[0], validation[-1]
    if kept == last:
        before, at_before = validation[-2]
        if at_last >= at_first:
            return f"Validation loss did not fall: it is {_loss(at_last)} first and last."
        said = (
            f"Validation loss fell from {_loss(at_first)} at step {first} to {_loss(loss)} at step "
            f"{last}, the last, whose adapter was kept: no overfitting"
        )
        if at_before - at_last > NOISE * abs(at_before):
            return f"{said}, and it was still falling at the end: a longer run may help."
        return (
            f"{said}, and it has levelled off since step {before}: more steps would bring little."
        )
    if at_last - loss > NOISE * abs(loss):
        return (
            f"Validation loss rose from {_loss(loss)} at step {kept} to {_loss(at_last)} at step "
            f"{last}: overfitting; the adapter of step {kept} was kept."
        )
    return (
        f"Validation loss was lowest at step {kept} ({_loss(loss)}) and {_loss(at_last)} at step "
        f"{last}, the last: it has levelled off; the adapter of step {kept} was kept."
    )


def _gap(curves: dict[str, Curve], kept: int, validation: float) -> list[str]:
    nearby = [loss for step, loss in curves.get("train_loss", []) if step <= kept][-NEARBY:]
    if not nearby:
        return []
    train = sum(nearby) / len(nearby)
    gap = validation - train
    times = "the logged step" if len(nearby) == 1 else f"the {len(nearby)} logged steps"
    said = (
        f"Up to there the training loss was {_loss(train)} (mean of {times} before), "
        f"{_loss(abs(gap))} {'below' if gap >= 0 else 'above'} the validation loss"
    )
    if gap <= SMALL_GAP * abs(train):
        return [f"{said}: no sign that training rows were learnt by heart."]
    if gap <= LARGE_GAP * abs(train):
        return [f"{said}, {_of(gap, train)} of the training loss: the usual gap."]
    return [
        f"{said}, {_of(gap, train)} of the training loss: the model fits its training rows much "
        "better than others. "
        "More rows, fewer epochs or a smaller rank may help."
    ]


def _of(part: float, whole: float) -> str:
    return percent(round(part / abs(whole), 2)) if whole else "all"


def _loss(value: float) -> str:
    return number(value, 3)
