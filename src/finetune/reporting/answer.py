"""The results: base → tuned in a sentence, and the leaderboard of baselines and models."""

from finetune.core.schema import Bootstrap, Task
from finetune.reporting import dots, leaderboard, sentences
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.dots import Line, Mark
from finetune.reporting.leaderboard import Lead, LeaderboardEntry
from finetune.reporting.parts import Figure, Part, difference
from finetune.reporting.sentences import Verdict
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric

NOTES = {
    "base": "the untuned model",
    "few_shot": "untuned, with examples in the prompt",
    "tuned": "with its adapter",
}


def verdict(
    artifacts: TaskArtifacts, entries: list[LeaderboardEntry], bootstrap: Bootstrap
) -> Verdict | None:
    """What tuning did to the primary metric; None before both models are scored."""
    metric = artifacts.primary
    base = leaderboard.by_role(entries, "base")
    tuned = leaderboard.by_role(entries, "tuned")
    gain = _gain(artifacts)
    if not (base and tuned and gain):
        return None
    lead = Lead(gain["mean"], gain["low"], gain["high"], gain["p"])
    best = leaderboard.best_baseline(entries, metric)
    return sentences.verdict(
        metric,
        base,
        tuned,
        lead if leaderboard.sign(metric) > 0 else lead.reversed(),
        best,
        leaderboard.lead(artifacts, best, bootstrap) if best else None,
        bootstrap.confidence,
    )


def change(artifacts: TaskArtifacts) -> str:
    """The paired difference of the primary metric as text; empty before there is one."""
    gain = _gain(artifacts)
    return difference(gain, artifacts.primary, artifacts.primary.unit) if gain else ""


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
    if not entries:
        return Part(missing=["No scores were written yet; run `dvc repro`."])
    part = Part(notes=_notes(artifacts, entries, bootstrap))
    if not any(entry.role in ("baseline", "oracle") for entry in entries):
        part.missing.append("No baselines were run for this task.")
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
    lines = [_line(artifacts, entry) for entry in best_first] + _published(metric, options)
    scores = "; ".join(f"{entry.name} {metric.amount(entry.score)}" for entry in best_first)
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
        f"worth its cost. Lines are {level} bootstrap intervals over the test rows."
    )
    if any(entry.role == "oracle" for entry in entries):
        caption += (
            " A diamond is an oracle: it reads the reference, an upper bound for baselines of its "
            "kind and no competitor. A model that writes words of its own may pass it."
        )
    return Figure("Baselines and models", caption, wide, narrow)


def _line(artifacts: TaskArtifacts, entry: LeaderboardEntry) -> Line:
    metric = artifacts.primary
    score = f"{metric.number(entry.score)} {metric.ends(entry.low, entry.high)}"
    mark = Mark(entry.role, entry.score, entry.low, entry.high)
    note = _note(artifacts, entry)
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
        against = sentences.against(metric, entry, lead, who, bootstrap.confidence)
        notes.append(f"{against} {sentences.over_draws(metric, entry, 'It scores')}".rstrip())
    return notes
