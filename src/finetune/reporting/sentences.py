"""What the scores say, in plain words; every sentence holds whichever way the numbers fall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.reporting.leaderboard import Lead, LeaderboardEntry, sign
from finetune.reporting.parts import counted
from finetune.scoring.metrics import Metric
from finetune.scoring.numbers import number, percent

Word = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """One word and one sentence."""

    word: Word
    sentence: str


def word(lead: Lead, confidence: float) -> Word:
    """Significant by both the interval, which few rows make too narrow, and the p-value."""
    if lead.p >= 1 - confidence or lead.low <= 0 <= lead.high:
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
) -> Verdict:
    """Base → tuned, and the tuned model against the best baseline.

    The leads are the tuned model's, positive where it is better.
    """
    decided = word(lead, confidence)
    scores = f"from {metric.number(base.score)} to {metric.amount(tuned.score)}"
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
    turns = decided == "better" and baseline_lead and word(baseline_lead, confidence) == "worse"
    against_baseline = _against_baseline(metric, tuned, baseline, baseline_lead, confidence)
    return Verdict(decided, f"{gain}; {'but ' if turns else ''}{against_baseline}.")


def _against_baseline(
    metric: Metric,
    tuned: LeaderboardEntry,
    baseline: LeaderboardEntry | None,
    lead: Lead | None,
    confidence: float,
) -> str:
    if baseline is None:
        return "no baseline was scored on validation rows, by which the best one is chosen"
    best = f"the best baseline by validation, {baseline.name} ({metric.number(baseline.score)})"
    if lead is None:
        is_ahead = sign(metric) * (tuned.score - baseline.score) > 0
        than = "ahead of" if is_ahead else "not ahead of"
        return f"the tuned model is {than} {best}, without an interval of the difference"
    match word(lead, confidence):
        case "better":
            return f"the tuned model beats {best}, {_by(metric, lead)}"
        case "worse":
            return f"{best}, beats the tuned model, {_by(metric, lead.reversed())}"
    return f"the tuned model does not differ significantly from {best}: {_tie(metric, lead)}"


def against(
    metric: Metric, other: LeaderboardEntry, lead: Lead | None, who: str, confidence: float
) -> str:
    """The tuned model against one other; `who` opens the sentence."""
    score = f"{who} {metric.amount(other.score)} {metric.ends(other.low, other.high)}"
    if lead is None:
        return f"{score}."
    match word(lead, confidence):
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
    interval = f"the {level}interval of the difference, {_range(metric, difference)}"
    if difference.low <= 0 <= difference.high:
        return f"{interval}, includes zero"
    return (
        f"although {interval}, excludes zero, a permutation test of so few rows finds no "
        f"significance (p = {difference.p:.2g})"
    )


def _range(metric: Metric, interval: Lead) -> str:
    return f"{metric.number(interval.low)} to {metric.number(interval.high)}"


def wins(pairs: Sequence[tuple[float, float]], metric: Metric) -> str:
    """In how many rows the tuned model is better, worse, the same; pairs are (base, tuned)."""
    if not pairs:
        return "No row was predicted by both models."
    better = sum(sign(metric) * (tuned - base) > 0 for base, tuned in pairs)
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


def groups(losing: Sequence[tuple[str, str, str, int]], weakest: tuple[str, str] | None) -> str:
    """Where tuning did not help: (group, tuned, base, rows) of each group that it made worse.

    `weakest` is the group with the tuned model's worst score, and that score.
    """
    if not weakest:
        return ""
    lowest = f"By groups, the tuned model is weakest at {weakest[0]} ({weakest[1]})"
    if not losing:
        return f"{lowest}, and in no group worse than the base model."
    worse = ", ".join(
        f"{group} ({tuned} against {base}, {counted(rows)})" for group, tuned, base, rows in losing
    )
    return f"{lowest}. In these groups it is worse than the base model: {worse}."
