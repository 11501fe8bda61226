"""The results: base → tuned in a sentence, and the leaderboard of baselines and models."""

from finetune.core.schema import Bootstrap, Task
from finetune.reporting import dots, leaderboard, sentences
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.dots import Line, Mark
from finetune.reporting.leaderboard import Lead, LeaderboardEntry, SilentEntry
from finetune.reporting.parts import Figure, Part, counted, difference
from finetune.reporting.sentences import AnsweredByBoth, Verdict
from finetune.reporting.tables import no_answer
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric

NOTES = {
    "base": "the untuned model",
    "few_shot": "untuned, with examples in the prompt",
    "tuned": "after tuning",
}
WHO = {
    "base": "the base model",
    "few_shot": "the base model with examples in its prompt",
    "tuned": "the tuned model",
}


def verdict(
    artifacts: TaskArtifacts, entries: list[LeaderboardEntry], bootstrap: Bootstrap
) -> Verdict | None:
    """What tuning did to the primary metric; None before both models are scored.

    Nothing is compared with a model that does not answer: of such a base model the verdict is the
    tuned one's against the best baseline.
    """
    metric = artifacts.primary
    best = leaderboard.best_baseline(entries, metric)
    best_lead = leaderboard.lead(artifacts, best, bootstrap) if best else None
    silent = leaderboard.silent(artifacts)
    if silent_tuned := leaderboard.by_role(silent, "tuned"):
        return sentences.tuned_silent(silent_tuned)
    base = leaderboard.by_role(entries, "base")
    tuned = leaderboard.by_role(entries, "tuned")
    silent_base = leaderboard.by_role(silent, "base")
    if silent_base and tuned:
        return sentences.base_silent(metric, silent_base, tuned, best, best_lead)
    if base and tuned and artifacts.metrics["tuned"].get("gain") == {}:
        return sentences.none_answered_by_both()
    gain = _gain(artifacts)
    if base and tuned and not gain and _paired_rows(artifacts, tuned) < metric.min_rows:
        return sentences.too_few_rows(metric, base, tuned, _paired_rows(artifacts, tuned))
    if not (base and tuned and gain):
        return None
    lead = Lead(gain["mean"], gain["low"], gain["high"])
    return sentences.verdict(
        metric,
        base,
        tuned,
        lead if leaderboard.sign(metric) > 0 else lead.reversed(),
        best,
        best_lead,
        bootstrap.confidence,
        _over(gain),
    )


def _paired_rows(artifacts: TaskArtifacts, tuned: LeaderboardEntry) -> int:
    """The rows that the two models are compared on, which leave out those with a stand-in."""
    gains = artifacts.metrics["tuned"].get("gain", {}).values()
    return int(next((gain["n"] for gain in gains if "n" in gain), tuned.rows))


def _over(gain: dict[str, float]) -> AnsweredByBoth | None:
    """The scores that a gain is the difference of, where it leaves rows without answers out."""
    if "before" not in gain:
        return None
    return AnsweredByBoth(gain["before"], gain["after"], int(gain["n"]))


def change(artifacts: TaskArtifacts) -> str:
    """The paired difference of the primary metric as text; empty before there is one."""
    gain = _gain(artifacts)
    if not gain:
        return ""
    shown = difference(gain, artifacts.primary, artifacts.primary.unit)
    over = _over(gain)
    return f"{shown} over the {counted(over.rows)} that both answered" if over else shown


def _gain(artifacts: TaskArtifacts) -> dict[str, float] | None:
    return artifacts.metrics.get("tuned", {}).get("gain", {}).get(artifacts.primary.key)


def answer(
    name: str,
    artifacts: TaskArtifacts,
    entries: list[LeaderboardEntry],
    options: Task,
    bootstrap: Bootstrap,
) -> Part:
    """The leaderboard, and remarks that put the scores into perspective."""
    silent = leaderboard.silent(artifacts)
    if not (entries or silent):
        return Part(missing=["No scores were written yet; run `dvc repro`."])
    part = Part(notes=_notes(artifacts, entries, bootstrap))
    if not any(entry.role in ("baseline", "oracle") for entry in entries):
        part.missing.append("No baselines were run for this task.")
    if entries:
        part.figures.append(_figure(name, artifacts, entries, options, bootstrap))
    return part


def _figure(
    name: str,
    artifacts: TaskArtifacts,
    entries: list[LeaderboardEntry],
    options: Task,
    bootstrap: Bootstrap,
) -> Figure:
    metric = artifacts.primary
    best_first = leaderboard.ranked(entries, metric)
    silent = leaderboard.silent(artifacts)
    lines = [
        *(_line(artifacts, entry) for entry in best_first),
        *(Line(entry.name, entry.rate, "no answer", ()) for entry in silent),
        *_published(metric, options),
    ]
    scores = "; ".join(
        [
            *(f"{entry.name} {metric.amount(entry.score)}" for entry in best_first),
            *(f"{entry.name} {entry.rate}" for entry in silent),
        ]
    )
    title, axis = f"{artifacts.task}: {scores}", f"{metric.heading}, {metric.direction}"
    wide, narrow = (
        dots.dots(
            f"{name}-leaderboard-{width}", title, lines, axis, width,
            published_elsewhere(artifacts),
        )
        for width in (dots.WIDE, dots.NARROW)
    )  # fmt: skip
    level = numbers.percent(bootstrap.confidence)
    caption = (
        "Best first. Baselines use no language model: a tuned model that does not beat them is not "
        f"worth its cost. Lines are {level} intervals over the test rows."
    )
    if any(entry.role == "oracle" for entry in entries):
        caption += (
            " A diamond is an oracle: it reads the reference, an upper bound for baselines of its "
            "kind and no competitor. A model that writes words of its own may pass it."
        )
    if silent:
        caption += " What gives too few answers has no score, and no place among the others."
    return Figure("Baselines and models", caption, wide, narrow)


def _line(artifacts: TaskArtifacts, entry: LeaderboardEntry) -> Line:
    metric = artifacts.primary
    ends = (entry.score if end is None else end for end in (entry.low, entry.high))
    mark = Mark(entry.role, entry.score, *ends)
    note = _note(artifacts, entry)
    score = f"{metric.number(entry.score)}{entry.ends(metric)}"
    return Line(entry.name, note, score, (mark,), is_strong=entry.role == "tuned")


def _note(artifacts: TaskArtifacts, entry: LeaderboardEntry) -> str:
    """What a baseline or model does, for those who do not know its name."""
    descriptions = {baseline.name: baseline.description for baseline in artifacts.kind.baselines}
    # Somebody's own answers have no description, but come from somewhere.
    source = str(entry.scores.get("protocol", {}).get("source", ""))
    description = NOTES.get(entry.role) or descriptions.get(entry.key, source)
    covered = f"{numbers.number(entry.rows, 0)} of {numbers.number(entry.test_rows, 0)} rows only"
    oracle = "oracle: " if entry.role == "oracle" else ""
    parts = [covered if entry.is_partial else "", f"{oracle}{description}"]
    return "; ".join(part for part in parts if part)


def _published(metric: Metric, options: Task) -> list[Line]:
    """Others' figures in the primary metric, best first."""
    published = [(p, p.scores[metric.key]) for p in options.published if metric.key in p.scores]
    published.sort(key=lambda pair: -leaderboard.sign(metric) * pair[1])
    return [
        Line(
            figure.name,
            figure.protocol,
            metric.number(score),
            (Mark("published", score, score, score),),
            apart=True,
        )
        for figure, score in published
    ]


def published_elsewhere(artifacts: TaskArtifacts) -> str:
    """What divides published figures from those of this run."""
    if artifacts.source.get("source") == "embedded":
        return "Published, on real data: not comparable"
    return "Published: measured otherwise, not comparable"


def _notes(
    artifacts: TaskArtifacts, entries: list[LeaderboardEntry], bootstrap: Bootstrap
) -> list[str]:
    """How weak the base is, the kind's own remarks, few-shot prompts, partial baselines."""
    metric = artifacts.primary
    base = leaderboard.by_role(entries, "base")
    baselines = [e for e in entries if e.role == "baseline" and not e.is_partial]
    notes = sentences.weak_base(base, baselines, metric) if base else []
    notes += _silence(artifacts, entries, leaderboard.silent(artifacts))
    notes += artifacts.kind.report.notes(artifacts)
    for entry in entries:
        if entry.role in ("base", "tuned"):
            who = f"The {entry.role} model scores"
            notes += filter(None, [sentences.over_draws(metric, entry, who)])
            continue
        if entry.role == "few_shot":
            rows = artifacts.predictions.get("few_shot", [])
            shots = max((row.get("shots", 0) for row in rows), default=0)
            examples = f"up to {shots} examples" if shots else "examples"
            who = f"The base model with {examples} in its prompt scores"
        elif entry.role == "baseline" and entry.is_partial:
            part = f"{numbers.number(entry.rows, 0)} of {numbers.number(entry.test_rows, 0)}"
            who = f"{entry.name} answers {part} rows; over these its score is"
        else:
            continue
        lead = leaderboard.lead(artifacts, entry, bootstrap)
        against = sentences.against(metric, entry, lead, who)
        notes.append(f"{against} {sentences.over_draws(metric, entry, 'It scores')}".rstrip())
    return notes


def _silence(
    artifacts: TaskArtifacts, entries: list[LeaderboardEntry], silent: list[SilentEntry]
) -> list[str]:
    """Who does not answer, and of whom answers now and then the score over the rows answered."""
    # What the verdict says of the base and the tuned model need not be said again.
    return [
        sentences.silent(WHO.get(entry.role, entry.name), entry)
        for entry in silent
        if entry.role not in ("base", "tuned")
    ] + [
        sentences.partly_silent(artifacts.primary, WHO.get(entry.role, entry.name), entry.scores)
        for entry in entries
        if no_answer(entry.scores)
    ]
