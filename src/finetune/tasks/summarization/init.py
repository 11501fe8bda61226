"""How `finetune init` sets up a task of summaries."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from finetune.columns.candidates import (
    Candidates,
    Evidence,
    longest,
    longest_texts,
    ranked,
    usable,
)
from finetune.columns.description import Columns
from finetune.columns.kind_init import KindInit, Role
from finetune.tasks.summarization.rows import Row

# Words in the names of columns.
SUMMARY = (
    "summary", "summaries", "highlights", "abstract", "tldr", "headline", "gist", "reference",
    "references", "target", "output", "zusammenfassung", "kurzfassung", "resumen", "résumé",
)  # fmt: skip
DOCUMENT = (
    "dialogue", "dialog", "document", "article", "text", "body", "content", "transcript",
    "conversation", "chat", "source", "input", "story", "report",
)  # fmt: skip
# A summary has at most this fraction of the input's words, and at least so many: fewer are a label.
MAX_SUMMARY_RATIO, MIN_SUMMARY_WORDS = 0.7, 3


def summaries(columns: Columns, taken: Collection[str]) -> Candidates:
    """Texts that are shorter than the input, which is the longest text unless it is given."""
    candidates = usable(columns, taken)
    given = [columns[path] for path in taken if path in columns]
    document = given[0] if given else longest(candidates)
    if document is None:
        return ranked([], SUMMARY)
    shorter = [
        c
        for c in candidates
        if c.type in ("text", "texts")
        and c is not document
        and c.words <= MAX_SUMMARY_RATIO * document.words
        and (c.words >= MIN_SUMMARY_WORDS or c.is_named(SUMMARY))
    ]
    by_name = ranked(shorter, SUMMARY)
    if len(shorter) == 1 and by_name.evidence < Evidence.ELIMINATION:
        return Candidates(by_name.paths, Evidence.ELIMINATION)
    return by_name


def documents(columns: Columns, taken: Collection[str]) -> Candidates:
    """Texts, longest first."""
    return longest_texts(columns, taken, DOCUMENT)


def values(fields: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """What the instruction calls the input, and how long a summary it asks for."""
    name = str(fields["dialogue"]).casefold()
    is_dialogue = any(part in name for part in ("dialog", "conversation", "chat"))
    words = fmean(len(row.summary.split()) for row in rows)
    sentences = (
        "one sentence"
        if words <= 12
        else "one or two sentences"
        if words <= 40
        else "a few sentences"
    )
    return {"noun": "dialogue" if is_dialogue else "text", "length": sentences}


INIT = KindInit(
    title="Summaries",
    template=Path(__file__).with_name("init.yaml.j2"),
    input=Role("dialogue", "long texts", documents),
    target=Role("summary", "texts shorter than the input", summaries),
    target_types=frozenset({"text", "texts"}),
    values=values,
)
