"""What the scores say, in plain words; every sentence holds whichever way the numbers fall."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from finetune.reporting.leaderboard import Lead, LeaderboardEntry, SilentEntry, sign
from finetune.reporting.parts import counted
from finetune.reporting.tables import no_answer
from finetune.scoring.metrics import Metric
from finetune.scoring.numbers import number, percent

Word = Literal["better", "worse", "undecided"]
# Nothing is compared with a model that does not answer.
Silence = Literal["base_silent", "tuned_silent"]


@dataclass(frozen=True)
class Verdict:
    """One word and one sentence."""

    word: Word | Silence
    sentence: str


@dataclass(frozen=True)
class AnsweredByBoth:
    """The scores of base and tuned model over the rows that both answered."""

    before: float
    after: float
    rows: int


def word(lead: Lead) -> Word:
    """Decided by the interval; that of rows too few to tell ends at 0 (`Difference.interval`)."""
    if lead.low <= 0 <= lead.high:
        return "undecided"
    return "better" if lead.mean > 0 else "worse"


def verdict(
    metric: Metric,
    base: LeaderboardEntry,
    tuned: LeaderboardEntry,
    lead: Lead,
    baseline: LeaderboardEntry | None,
    baseline_lead: Lead | None,
    confidence: float,
    over: AnsweredByBoth | None = None,
) -> Verdict:
    """Base → tuned, and the tuned model against the best baseline.

    The leads are the tuned model's, positive where it is better. `over` has the scores that the
    lead is of, where some row has no answer.
    """
    decided = word(lead)
    before, after = (over.before, over.after) if over else (base.score, tuned.score)
    scores = f"from {metric.number(before)} to {metric.amount(after)}"
    level = percent(confidence)
    if decided == "undecided":
        change = lead if sign(metric) > 0 else lead.reversed()
        gain = (
            f"No significant difference: {metric.subject} went {scores}, and "
            f"{_tie(metric, change, f'{level} ')}"
        )
    else:
        rose = (decided == "better") == (sign(metric) > 0)
        by = lead if decided == "better" else lead.reversed()
        gain = (
            f"Tuning made the model {decided}: {metric.subject} {'rose' if rose else 'fell'} "
            f"{scores}, by {metric.number(by.mean)} ({level} interval {_range(metric, by)})"
        )
    if over:
        rates = ", ".join(
            f"{who} {no_answer(entry.scores) or 'answers all rows'}"
            for who, entry in (("base model", base), ("tuned", tuned))
        )
        gain += f", over the {counted(over.rows)} that both answered ({rates})"
    turns = decided == "better" and baseline_lead and word(baseline_lead) == "worse"
    against_baseline = _against_baseline(metric, tuned, baseline, baseline_lead)
    return Verdict(decided, f"{gain}; {'but ' if turns else ''}{against_baseline}.")


def base_silent(
    metric: Metric,
    base: SilentEntry,
    tuned: LeaderboardEntry,
    baseline: LeaderboardEntry | None,
    baseline_lead: Lead | None,
) -> Verdict:
    """That there is no gain over a base that does not answer; the tuned model against baselines."""
    against_baseline = _against_baseline(metric, tuned, baseline, baseline_lead)
    return Verdict(
        "base_silent",
        f"The untuned model does not answer ({base.rate}), so there is nothing to compare with but "
        f"the baselines: with {metric.subject} at {metric.amount(tuned.score)}, "
        f"{against_baseline}.",
    )


def tuned_silent(tuned: SilentEntry) -> Verdict:
    """That a tuned model does not answer, and so has neither score nor gain."""
    return Verdict(
        "tuned_silent",
        f"The tuned model does not answer ({tuned.rate}), so it has no score, and nothing is "
        "compared.",
    )


def none_answered_by_both() -> Verdict:
    """That there is no row to compare the two models on; only a high stated rate allows it."""
    return Verdict("undecided", "No row was answered by both models, so nothing is compared.")


def too_few_rows(
    metric: Metric, base: LeaderboardEntry, tuned: LeaderboardEntry, rows: int
) -> Verdict:
    """That the metric takes more rows than there are; what they say is two scores."""
    return Verdict(
        "undecided",
        f"{metric.subject[0].upper()}{metric.subject[1:]} went from {metric.number(base.score)} to "
        f"{metric.amount(tuned.score)}. Of {number(rows, 0)} rows its difference has no "
        f"interval that holds, so nothing is decided: it takes {number(metric.min_rows, 0)}.",
    )


def silent(who: str, entry: SilentEntry) -> str:
    """That one of the others does not answer."""
    return f"{_opened(who)} does not answer ({entry.rate}): it has no score."


def _opened(text: str) -> str:
    """A text as a sentence begins with it."""
    return f"{text[0].upper()}{text[1:]}"


def partly_silent(metric: Metric, who: str, scores: Mapping[str, Any]) -> str:
    """How many rows a model with scores does not answer, and its score over the others."""
    of_answered = scores.get("answered", {})
    rate = f"{_opened(who)} has {no_answer(scores)}"
    if metric.key not in of_answered:
        return f"{rate}."
    return (
        f"{rate}, which its score counts at what stands in for an answer; over the "
        f"{counted(of_answered['n'])} that it answered, {metric.subject} is "
        f"{metric.amount(of_answered[metric.key])}."
    )


def _against_baseline(
    metric: Metric,
    tuned: LeaderboardEntry,
    baseline: LeaderboardEntry | None,
    lead: Lead | None,
) -> str:
    if baseline is None:
        return "no baseline was scored on validation rows, by which the best one is chosen"
    best = f"the best baseline by validation, {baseline.name} ({metric.number(baseline.score)})"
    if lead is None:
        is_ahead = sign(metric) * (tuned.score - baseline.score) > 0
        than = "ahead of" if is_ahead else "not ahead of"
        return f"the tuned model is {than} {best}, without an interval of the difference"
    match word(lead):
        case "better":
            return f"the tuned model beats {best}, {_by(metric, lead)}"
        case "worse":
            return f"{best}, beats the tuned model, {_by(metric, lead.reversed())}"
    return f"the tuned model does not differ significantly from {best}: {_tie(metric, lead)}"


def against(metric: Metric, other: LeaderboardEntry, lead: Lead | None, who: str) -> str:
    """The tuned model against one other; `who` opens the sentence."""
    score = f"{who} {metric.amount(other.score)}{other.ends(metric)}"
    if lead is None:
        return f"{score}."
    match word(lead):
        case "better":
            return f"{score}; the tuned model is better, {_by(metric, lead)}."
        case "worse":
            return f"{score} and is better than the tuned model, {_by(metric, lead.reversed())}."
    return f"{score}; the tuned model does not differ significantly: {_tie(metric, lead)}."


def over_draws(metric: Metric, entry: LeaderboardEntry, who: str) -> str:
    """How far luck moves a model's score; empty where there was one draw. `who` begins it."""
    draws = entry.scores.get("draws", {})
    if metric.key not in draws:
        return ""
    low, high = (metric.number(draws[metric.key][end]) for end in ("low", "high"))
    if low == high:
        return f"{who} {low} in all {draws['n']} draws of {draws['of']}."
    return f"{who} {low} to {high} over {draws['n']} draws of {draws['of']}."


def _by(metric: Metric, lead: Lead) -> str:
    return f"by {metric.amount(lead.mean)} ({_range(metric, lead)})"


def _tie(metric: Metric, difference: Lead, level: str = "") -> str:
    return f"the {level}interval of the difference, {_range(metric, difference)}, includes zero"


def _range(metric: Metric, interval: Lead) -> str:
    return f"{metric.number(interval.low)} to {metric.number(interval.high)}"


def wins(pairs: Sequence[tuple[float, float]], metric: Metric) -> str:
    """In how many rows the tuned model is better, worse, the same; pairs are (base, tuned)."""
    if not pairs:
        return "No row was answered by both models."
    better = sum(metric.row_sign * (tuned - base) > 0 for base, tuned in pairs)
    same = sum(tuned == base for base, tuned in pairs)
    counts = (better, len(pairs) - better - same, same, len(pairs))
    better_text, worse_text, same_text, of = (number(count, 0) for count in counts)
    return (
        f"Row by row, the tuned model is better in {better_text} of {of} rows, worse in "
        f"{worse_text}, and the same in {same_text}."
    )


def weak_base(
    base: LeaderboardEntry, baselines: Sequence[LeaderboardEntry], metric: Metric
) -> list[str]:
    """That the base model is below most baselines, if it is: a gain over it is then cheap."""
    above = sum(sign(metric) * (baseline.score - base.score) > 0 for baseline in baselines)
    if 2 * above <= len(baselines):
        return []
    return [
        f"Untuned, the base model does worse than {above} of {len(baselines)} baselines: much of "
        "the gain may be the format of the answer, which a few rows teach."
    ]


def groups(
    losing: Sequence[tuple[str, str, str, int]],
    weakest: tuple[str, str] | None,
    compared: bool = True,
) -> str:
    """Where tuning did not help: (group, tuned, base, rows) of each group that it made worse.

    `weakest` is the group with the tuned model's worst score, and that score. Not `compared` is
    what the base model gives too few answers for.
    """
    if not weakest:
        return ""
    lowest = f"By groups, the tuned model is weakest at {weakest[0]} ({weakest[1]})"
    if not compared:
        return f"{lowest}."
    if not losing:
        return f"{lowest}, and in no group worse than the base model."
    worse = ", ".join(
        f"{group} ({tuned} against {base}, {counted(rows)})" for group, tuned, base, rows in losing
    )
    return f"{lowest}. In these groups it is worse than the base model: {worse}."
