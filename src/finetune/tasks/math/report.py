"""What the report shows of word problems: what became of each, and what tuning did and did not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from finetune.core.schema import Train
from finetune.reporting import rows, templates
from finetune.reporting.artifacts import Row, TaskArtifacts
from finetune.reporting.parts import KindQuality, KindReport, Series, Table, counted
from finetune.scoring import numbers
from finetune.scoring.metrics import Metric

OUTCOMES = ("right", "wrong", "no answer")
Pair = tuple[Row, Row]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A problem with what both models wrote, and what came of it."""

    title: str
    id: str
    question: str
    reference: str
    base: str
    base_outcome: str
    tuned: str
    tuned_outcome: str


def _loss(train: Train) -> str:
    return (
        "Cross-entropy of an answer's tokens (of the whole solution, or of its last line: "
        "prompt.completion), in nats per token: all tokens weigh alike, though exact match asks "
        "for the last number alone."
    )


def _notes(artifacts: TaskArtifacts) -> list[str]:
    """What the interval shows, in how many rows there are answers, and what perplexity did."""
    return [
        *_interval(artifacts),
        *_form(rows.paired(artifacts)),
        *_perplexity(artifacts),
    ]


def _interval(artifacts: TaskArtifacts) -> Iterator[str]:
    """Whether exact match changed where both answered, as far as the interval goes."""
    metric, tuned = artifacts.primary, artifacts.metrics.get("tuned", {})
    gain = tuned.get("gain", {}).get(metric.key)
    if not gain:
        return
    low, mean, high = (_points(metric, gain[end]) for end in ("low", "mean", "high"))
    if gain["low"] > 0:
        verdict = "lies above zero: tuning made the model solve more of such problems"
    elif gain["high"] < 0:
        verdict = "lies below zero: tuning made the model solve fewer of such problems"
    else:
        verdict = (
            "includes zero: these rows do not show that tuning makes the model solve more or fewer "
            "of such problems"
        )
    yield (
        f"Exact match changed by {mean} points from the base to the tuned model, over "
        f"{counted(gain.get('n', tuned['n']))}; the interval of this difference, {low} to {high}, "
        f"{verdict}."
    )


def _form(pairs: Sequence[Pair]) -> Iterator[str]:
    """How many answers lack a number: what is left compares how well the models calculate."""
    if not pairs:
        return
    missing = [sum(bool(pair[model]["no_answer"]) for pair in pairs) for model in (0, 1)]
    before, after = (numbers.share(count, len(pairs)) for count in missing)
    both = [pair for pair in pairs if not (pair[0]["no_answer"] or pair[1]["no_answer"])]
    text = f"No final answer was found in {before} texts of the base model and {after} of the tuned"
    if not both:
        yield f"{text}: in no row did both give one, so nothing compares how well they calculate."
        return
    yield (
        f"{text}; both gave one in {counted(len(both))}. Only these can tell how well they "
        "calculate: to give an answer at all is its form."
    )


def _perplexity(artifacts: TaskArtifacts) -> Iterator[str]:
    """Why a better loss need not be a better score."""
    metric = artifacts.metric("perplexity")
    before, after = (artifacts.metrics.get(name, {}).get(metric.key) for name in ("base", "tuned"))
    if before is None or after is None:
        return
    yield (
        f"Perplexity of the references went from {metric.number(before)} to "
        f"{metric.number(after)}. That is what training minimizes: it counts every token of an "
        "answer alike, most of which are its wording, while a problem is solved by the few that "
        "are numbers. The one can therefore improve without the other."
    )


def _points(metric: Metric, value: float) -> str:
    return numbers.signed(value, metric.decimals)


def _quality(name: str, artifacts: TaskArtifacts) -> KindQuality:
    pairs = rows.paired(artifacts)
    template = Path(__file__).with_name("report.html.j2")
    return KindQuality(
        tables=[outcomes(pairs)] if pairs else [],
        missing=[] if pairs else ["No row was predicted by both models."],
        examples=Markup(templates.render(template, examples=examples(artifacts, pairs))),
    )


def outcome(prediction: Row) -> str:
    """One of `OUTCOMES`."""
    if prediction["no_answer"]:
        return "no answer"
    return "right" if prediction["exact_match"] else "wrong"


def outcomes(pairs: Sequence[Pair]) -> Table:
    """Rows by the base model's outcome (down) and the tuned one's (across)."""
    counts = Counter((outcome(base), outcome(tuned)) for base, tuned in pairs)
    return Table(
        ["base model", *(f"tuned: {after}" for after in OUTCOMES)],
        [
            [before, *(numbers.number(counts[before, after], 0) for after in OUTCOMES)]
            for before in OUTCOMES
        ],
        "What became of the problems",
    )


def examples(artifacts: TaskArtifacts, pairs: Sequence[Pair]) -> list[Example]:
    """The first problem that only the tuned model solves, only the base, and neither."""
    questions = {row["id"]: row["question"] for row in artifacts.rows.get("test", [])}
    titles = {
        (False, True): "Solved by the tuned model only",
        (True, False): "Solved by the base model only",
        (False, False): "Solved by neither",
    }
    found = []
    for solved, title in titles.items():
        matching = [
            (base, tuned)
            for base, tuned in pairs
            if (bool(base["exact_match"]), bool(tuned["exact_match"])) == solved
        ]
        for base, tuned in matching[:1]:
            found.append(
                Example(
                    title=f"{title}: {numbers.share(len(matching), len(pairs))}",
                    id=str(base["id"]),
                    question=questions.get(base["id"], ""),
                    reference=base["reference"],
                    base=base["prediction"],
                    base_outcome=_read(base),
                    tuned=tuned["prediction"],
                    tuned_outcome=_read(tuned),
                )
            )
    return found


def _read(prediction: Row) -> str:
    """`42, wrong`: the number that was read, and what it is."""
    found = outcome(prediction)
    return f"{prediction['answer']}, {found}" if prediction["answer"] else found


REPORT = KindReport(
    description="answers to word problems",
    series=(
        Series(label="words of a question", value=lambda row: len(row["question"].split())),
        Series(label="words of a solution", value=lambda row: len(row["answer"].split())),
    ),
    loss=_loss,
    quality=_quality,
    notes=_notes,
)
