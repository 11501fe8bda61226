"""Questions that a teacher writes: a model behind an API, each of its answers checked.

It is asked for questions with answers that are quotations. A pair is kept where the quotation
stands in the section and the question is about it; all others are counted by what is wrong.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune.documents.passages import Passage
from finetune.hosted.answers import Asker
from finetune.inference.written import Decoding, Written
from finetune.scoring.domain_facts import content_words, stem

PROMPT = """\
Write {count} questions that somebody who uses this documentation could ask, and that the text \
below answers. Each must be understood without the text: name what it is about. For each give the \
answer as a quotation: words of the text, unchanged and in their order, as few as answer the \
question fully. Reply with a JSON array alone:
[{{"question": "…", "answer": "…"}}]

Document: {document}
Heading: {heading}

Text:
{text}"""
# Of an answer, for each question asked for; and of the rest.
TOKENS_PER_QUESTION, TOKENS = 160, 64
# Content words that a question shares with its section, or all where it has fewer.
SHARED_WORDS = 2


@dataclass
class Teacher:
    """Asks a teacher; `refused` counts what was not kept, `seen` are all questions so far."""

    asker: Asker
    count: int
    refused: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)

    def __call__(self, sections: Sequence[Passage]) -> list[list[tuple[str, str]]]:
        """For each section its questions with answers, those that hold.

        Raises:
            UserError: the teacher refuses, or cannot be reached; answers so far are kept.
        """
        prompts = [[{"role": "user", "content": _prompt(s, self.count)}] for s in sections]
        tokens = TOKENS + self.count * TOKENS_PER_QUESTION
        answers = self.asker.ask(prompts, Decoding(), tokens, "teacher")
        return [
            self._kept(section, written)
            for section, (written,) in zip(sections, answers, strict=True)
        ]

    def _kept(self, section: Passage, written: Written) -> list[tuple[str, str]]:
        proposed = parsed(written.text)
        if proposed is None:
            self.refused["answers that are no list of questions"] += 1
            return []
        kept: list[tuple[str, str]] = []
        for question, quotation in proposed:
            answer = quoted(quotation, section.text) if quotation else ""
            why: str | None = "questions beyond those asked for"
            if len(kept) < self.count:
                why = problem(question, answer, section, self.seen)
            if why is None and answer is not None:
                self.seen.add(question.casefold())
                kept.append((question, answer))
            else:
                self.refused[str(why)] += 1
        if not kept:
            self.refused["sections without a question that holds"] += 1
        return kept


def _prompt(section: Passage, count: int) -> str:
    heading = " > ".join(section.headings)
    return PROMPT.format(count=count, document=section.document, heading=heading, text=section.text)


def parsed(text: str) -> list[tuple[str, str]] | None:
    """The questions and answers in a teacher's reply; None where it holds no JSON array of them.

    What stands around the array, such as fences, does not matter; entries without both are empty.
    """
    start, end = text.find("["), text.rfind("]")
    try:
        entries: Any = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(entries, list) or not entries:
        return None
    return [(_text(entry, "question"), _text(entry, "answer")) for entry in entries]


def _text(entry: Any, name: str) -> str:
    value = entry.get(name) if isinstance(entry, dict) else None
    return " ".join(value.split()) if isinstance(value, str) else ""


def quoted(quotation: str, text: str) -> str | None:
    """The part of a text that a quotation repeats, as the text has it; None where it has none.

    Blanks, case, the kind of quotation marks and a final full stop may differ.
    """
    plain = quotation.strip().strip("\"'“”‘’«»")
    words = re.findall(r"\S+", plain.rstrip("."))
    if not words:
        return None
    pattern = r"\s+".join(_pattern(word) for word in words)
    end = r"\.?" if plain.endswith(".") else ""
    match = re.search(rf"(?<!\w){pattern}(?!\w){end}", text, re.IGNORECASE)
    return match[0].strip() if match else None


def _pattern(word: str) -> str:
    marks = {"'": "['’‘]", "’": "['’‘]", '"': '["“”]', "“": '["“”]', "”": '["“”]'}
    return "".join(marks.get(character) or re.escape(character) for character in word)


def problem(question: str, answer: str | None, section: Passage, seen: set[str]) -> str | None:
    """What is wrong with a question and its quotation; None where nothing is."""
    if not question or answer == "":
        return "entries without a question or an answer"
    if answer is None:
        return "answers that do not stand in the section"
    if question.casefold() in seen:
        return "questions that were asked already"
    if answer.casefold().rstrip(".!?") in question.casefold():
        return "questions that say their answer"
    own = {stem(word) for word in content_words(question)}
    held = content_words(f"{' '.join(section.headings)}\n{section.text}")
    shared = own & {stem(word) for word in held}
    if len(shared) < min(SHARED_WORDS, max(1, len(own))):
        return "questions of other words than their section"
    return None
