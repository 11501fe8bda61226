"""The error analysis: rows won and lost, groups, flags, and what the kind itself has to show."""

from dataclasses import dataclass

from markupsafe import Markup

from finetune.reporting import facts, forgetting, groups, sentences
from finetune.reporting.artifacts import TaskArtifacts
from finetune.reporting.facts import Facts
from finetune.reporting.parts import KindQuality, Part, Table
from finetune.reporting.rows import both_answered


@dataclass(frozen=True, kw_only=True)
class Quality(Part):
    """Where a model is good and where it is bad; `flag_meanings` explain rows of `flags`.

    `forgot` and `forgetting` are words and figures on general text.
    """

    examples: Markup
    groups: Table | None
    flags: Table | None
    flag_meanings: Facts
    forgot: list[str]
    forgetting: Table | None


def quality(name: str, artifacts: TaskArtifacts) -> Quality:
    """All of the section for one task; `name` begins the ids of its figures."""
    part, own = Part(), KindQuality()
    if artifacts.predictions.get("tuned"):
        metric = artifacts.primary
        pairs = [
            (metric.of_row(base), metric.of_row(tuned)) for base, tuned in both_answered(artifacts)
        ]
        own = artifacts.kind.report.quality(name, artifacts)
        part = groups.groups(name, artifacts)
        part.notes.insert(0, sentences.wins(pairs, metric))
    else:
        part.missing.append("No predictions of the tuned model were there to look at.")
    tuned = artifacts.metrics.get("tuned", {})
    flags = facts.flags(artifacts.metrics, artifacts.kind.flags)
    return Quality(
        notes=part.notes,
        figures=[*own.before_groups, *part.figures, *own.after_groups],
        tables=own.tables,
        missing=[*part.missing, *own.missing],
        examples=own.examples,
        groups=groups.table(artifacts),
        flags=flags if flags.rows else None,
        flag_meanings=[
            (flag.key.replace("_", " "), flag.meaning)
            for flag in facts.counted_flags(artifacts.metrics, artifacts.kind.flags)
        ],
        forgot=forgetting.notes(tuned),
        forgetting=forgetting.table(tuned),
    )
