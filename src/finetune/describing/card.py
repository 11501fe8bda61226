"""The data card of a task, as `metrics/<task>/data_card.json` has it.

Counts, numbers and names of groups; texts of rows only where the licence of the data allows giving
them away, and then without personal data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from finetune.core.paths import SPLITS
from finetune.core.rows import TaskRow
from finetune.data import personal
from finetune.describing import languages, measuring, shift
from finetune.describing.kind_card import Grouping, KindCard
from finetune.describing.measuring import Measured
from finetune.publishing import licences

# Rows of each split of which scripts, languages and the shift are measured.
SAMPLE_ROWS = 1000
# Scripts with a smaller fraction of all letters are one.
LEAST_LETTERS = 0.001
SHOWN_ROWS = 3
SHOWN_CHARACTERS = 600
# Of a task with sources that are mixed in.
BY_SOURCE = Grouping(title="source", of=lambda row: [row.from_source or "its own"])


@dataclass(frozen=True)
class Options:
    """What is drawn by `seed`, the confidence of intervals, and how personal data is treated."""

    seed: int
    confidence: float
    phone_regions: Sequence[str]
    is_masked: bool


def describe(
    splits: Mapping[str, Sequence[TaskRow]],
    kind: KindCard,
    origin: Mapping[str, Any],
    options: Options,
) -> dict[str, Any]:
    """The card of prepared rows; `origin` is their source.json."""
    if "mix" in origin:
        kind = replace(kind, groupings=(*kind.groupings, BY_SOURCE))
    measured = {
        name: measuring.measure(splits[name], kind, SAMPLE_ROWS, options.seed) for name in SPLITS
    }
    stated = licences.of(origin)
    card = {
        "rows": {name: of.rows for name, of in measured.items()},
        "lengths": {
            length: {name: measuring.quantiles(of.lengths[length]) for name, of in measured.items()}
            for length in measuring.LENGTHS
        },
        "measures": {each.title: _measure(each.title, measured) for each in kind.measures},
        "groups": {
            each.title: measuring.known_groups(
                {name: of.groups[each.title] for name, of in measured.items()}
            )
            for each in kind.groupings
        },
        "placeholders": measuring.known_placeholders(
            {name: of.placeholders for name, of in measured.items()}
        ),
        "sampled_rows": {name: len(of.sample) for name, of in measured.items()},
        "scripts": measuring.listed(
            {name: languages.scripts(_texts(of)) for name, of in measured.items()}, LEAST_LETTERS
        ),
        "languages": measuring.listed(
            {name: languages.languages(_texts(of)) for name, of in measured.items()}
        ),
        "shift": _shift(measured, kind, options),
        "is_masked": options.is_masked,
        "licence": "; ".join(stated),
        "texts_may_be_shown": all(map(licences.is_open, stated)),
        "source": dict(origin),
    }
    if card["texts_may_be_shown"]:
        card["examples"] = [
            _example(row, options.phone_regions) for row in measured["train"].sample[:SHOWN_ROWS]
        ]
    return card


def _texts(of: Measured) -> list[str]:
    """Input and target of each sampled row, as one text."""
    return [f"{row.input}\n{row.completion}" for row in of.sample]


def _measure(title: str, measured: Mapping[str, Measured]) -> dict[str, Any]:
    values = {name: of.measures[title] for name, of in measured.items()}
    return {
        "splits": {name: measuring.quantiles(each) for name, each in values.items()},
        "histogram": measuring.histogram(values),
    }


def _shift(measured: Mapping[str, Measured], kind: KindCard, options: Options) -> dict[str, Any]:
    """AUCs with their intervals, of inputs and of each measure; without those of too few rows."""
    train, test = measured["train"], measured["test"]
    inputs = [[row.input for row in of.sample] for of in (train, test)]
    intervals = {"input": shift.of_texts(inputs[0], inputs[1], options.seed, options.confidence)}
    for each in kind.measures:
        intervals[each.title] = shift.of_numbers(
            train.measures[each.title], test.measures[each.title], options.confidence
        )
    return {
        "rows_of_each": min(len(train.sample), len(test.sample)),
        "confidence": options.confidence,
        "auc": {name: interval.rounded() for name, interval in intervals.items() if interval},
    }


def _example(row: TaskRow, regions: Sequence[str]) -> dict[str, str]:
    texts = {"id": row.id, "input": row.input, "target": row.completion}
    return {
        name: _shortened(personal.masked(text, personal.find(text, regions)))
        for name, text in texts.items()
    }


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} …"
