"""From passages to rows of instructions and responses, each with where it came from."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune.core.schema import NearDuplicates
from finetune.documents import questions, repeats
from finetune.documents.passages import Passage

# Gives questions with answers for a passage: see `documents.teacher`.
Ask = Callable[[Sequence[Passage]], Sequence[Sequence[tuple[str, str]]]]


@dataclass(frozen=True)
class Pair:
    """A question, its answer, and the passage that it was made of; context is what is read too."""

    instruction: str
    response: str
    passage: Passage
    context: str = ""

    @property
    def id(self) -> str:
        """An id that no other pair has, the same as long as nothing of the pair changes."""
        passage = self.passage
        text = "\n".join((passage.document, *passage.headings, self.instruction, self.response))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def row(self) -> dict[str, Any]:
        """A line of the file: the fields of the kind `instruction`, and where they came from."""
        passage = self.passage
        section = passage.whole or passage.text
        fields: dict[str, Any] = {
            "id": self.id,
            "instruction": self.instruction,
            "context": self.context or None,
            "response": self.response,
            "section": section if section != self.response else None,
            "made_of": passage.kind,
            "file": passage.document,
            "heading": " > ".join(passage.headings),
            "page": passage.page,
        }
        return {name: value for name, value in fields.items() if value is not None}


def distinct(
    passages: Sequence[Passage], near: NearDuplicates, left_out: Counter[str]
) -> list[Passage]:
    """The passages without those that are nearly like an earlier one, of whatever document."""
    texts = [f"{passage.asked}\n{passage.text}" for passage in passages]
    kept = []
    for passage, before in zip(passages, repeats.earlier(texts, near), strict=True):
        if before is None:
            kept.append(passage)
        else:
            left_out["near-duplicates of an earlier passage"] += 1
    return kept


def pairs(
    passages: Sequence[Passage], count: int, context_words: int, ask: Ask | None
) -> list[Pair]:
    """The pairs of passages, at most `count` questions each; no question stands there twice.

    With `ask` the questions of sections are its own, and so are their answers. context_words: how
    much of the document around it each question is asked of; 0 for none.
    """
    asked = list(_asked(passages, count, ask))
    contexts = _contexts(passages, context_words) if context_words else {}
    made: list[Pair] = []
    seen: set[str] = set()
    for passage, question, answer in asked:
        if question.casefold() in seen:
            question = f"{question} ({passage.document})"
        if question.casefold() not in seen:
            seen.add(question.casefold())
            made.append(Pair(question, answer, passage, contexts.get(passage, "")))
    return made


def _asked(
    passages: Sequence[Passage], count: int, ask: Ask | None
) -> Iterator[tuple[Passage, str, str]]:
    sections = [passage for passage in passages if passage.kind == "section"]
    taught = dict(zip(sections, ask(sections), strict=True)) if ask else {}
    for passage in passages:
        if passage in taught:
            for question, answer in taught[passage]:
                yield passage, question, answer
        else:
            for question in questions.questions(passage, count):
                yield passage, question, passage.text


def _contexts(passages: Sequence[Passage], words: int) -> Mapping[Passage, str]:
    """For each passage a run of its document with it in it, of at most so many words.

    A passage that is longer stands alone. How much of the run is before it a hash of it says.
    """
    by_document: dict[str, list[Passage]] = {}
    for passage in passages:
        if passage.kind != "definition":
            by_document.setdefault(passage.document, []).append(passage)
    places = {own: place for around in by_document.values() for place, own in enumerate(around)}
    # A definition stands in the section that has its headings.
    sections = {(own.document, own.headings): own for own in reversed(places)}
    contexts: dict[Passage, str] = {}
    for passage in passages:
        own = passage if passage in places else sections.get((passage.document, passage.headings))
        run = [passage]
        if own is not None:
            run = _run(by_document[own.document], places[own], words)
        contexts[passage] = "\n\n".join(f"{each.headings[-1]}\n{each.text}" for each in run)
    return contexts


def _run(around: Sequence[Passage], place: int, words: int) -> list[Passage]:
    """The passage at a place, with those around it as long as they fit."""
    own = around[place]
    start, end, have = place, place + 1, own.words
    sides = itertools.cycle(hashlib.sha256(f"{own.where}\n{own.text}".encode()).digest())
    while True:
        before = around[start - 1] if start else None
        after = around[end] if end < len(around) else None
        fitting = [p for p in (before, after) if p is not None and have + p.words <= words]
        if not fitting:
            return list(around[start:end])
        chosen = fitting[next(sides) % len(fitting)]
        have += chosen.words
        if chosen is before:
            start -= 1
        else:
            end += 1
