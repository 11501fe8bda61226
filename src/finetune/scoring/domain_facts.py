"""Facts of an answer about some documentation: how many it has, and which nothing supports.

Facts are code (what stands between backquotes, and commands of code blocks), the names, numbers,
times and days that `scoring.facts` finds, and key words: content words that the reference says
twice or more. By rules alone, with the limits that `scoring.facts` names. A fact that the question
says already is none of the answer's: repeating the question finds nothing.
"""

import re
from collections import Counter
from dataclasses import dataclass

from finetune.scoring import facts

# Code between backquotes is a fact up to this length: longer is an example.
CODE_CHARACTERS = 80
# Letters of a content word, at least; and how often the reference says a key word, at least.
WORD_LETTERS, KEY_WORD_COUNT = 4, 2
# Beside those that open sentences: words that say nothing of what a text is about.
FUNCTION_WORDS = facts.OPENING | frozenset(
    re.findall(
        r"\w+",
        """
        been being came come comes does doing done else gets gives goes going gone have having
        here into itself kept made make makes many might much must need needs none only onto
        ours over said says shall stand stands take taken takes than that thing things those
        took used uses using want wants went were what when whose will with would your yours
        """,
    )
)
# Scripts that are written without blanks: each of their characters counts as a word.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+(?:['’][^\W\d_]+)?")
_FENCED = re.compile(r"^```\w*\n(.*?)(?:^```$|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
# Marks of a list's items, and what stands between cells: a line's end to what follows.
_MARK = re.compile(r"^(?:[-*•+]|\d+[.)]) | ?\| ?", re.MULTILINE)
# A command of a block, up to its remark.
_COMMAND = re.compile(r"^\$ (.+?)(?: #.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Recall:
    """Of the facts of a reference, those that an answer has, and those that it lacks."""

    found: list[str]
    missing: list[str]

    @property
    def percent(self) -> float:
        """The percentage that was found, 0 where there are none."""
        count = len(self.found) + len(self.missing)
        return 100 * len(self.found) / count if count else 0.0


def recall(answer: str, reference: str, question: str) -> Recall:
    """Which of the reference's facts an answer has, without those that the question has."""
    asked, told = _Text(question), _Text(answer)
    own = _Text(reference)
    found: list[str] = []
    missing: list[str] = []
    for code in own.code:
        if not asked.says(code):
            (found if told.says(code) else missing).append(code)
    for text, fact in own.facts.items():
        if not asked.source.holds(fact):
            (found if told.source.holds(fact) else missing).append(text)
    said = Counter(own.stems)
    for stem, word in dict(zip(own.stems, own.words, strict=True)).items():
        if said[stem] >= KEY_WORD_COUNT and stem not in asked.stems:
            (found if stem in told.stems else missing).append(word)
    return Recall(found, missing)


def asserted(answer: str) -> list[str]:
    """The code, names, numbers, times and days of an answer, each once: what can be unsupported."""
    told = _Text(answer)
    return [*told.code, *told.facts]


def unsupported(answer: str, *sources: str) -> list[str]:
    """Those of `asserted` that none of the sources has."""
    told, known = _Text(answer), _Text("\n\n".join(sources))
    return [
        *(code for code in told.code if not known.says(code)),
        *(text for text, fact in told.facts.items() if not known.source.holds(fact)),
    ]


def content_words(text: str) -> list[str]:
    """The words that say what a text is about, in lower case and in its order."""
    return [
        word
        for word in (match[0].casefold() for match in _WORD.finditer(text))
        if word not in FUNCTION_WORDS and (len(word) >= WORD_LETTERS or _is_unspaced(word))
    ]


def stem(word: str) -> str:
    """A word without the endings that English inflects by; rough, and the same for all sides."""
    for ending in ("ings", "ing", "ies", "ied", "es", "ed", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _is_unspaced(word: str) -> bool:
    return re.fullmatch(rf"[{_UNSPACED}]", word) is not None


class _Text:
    """A text as facts are compared in it."""

    def __init__(self, text: str) -> None:
        # Without indents and runs of blanks, in which patterns would search for long.
        lines = (" ".join(line.split()) for line in text.split("\n"))
        text = "\n".join(line for line in lines if line)
        blocks = [match[1] for match in _FENCED.finditer(text)]
        spans = _CODE.findall(_FENCED.sub("\n", text))
        commands = [command for block in blocks for command in _COMMAND.findall(block)]
        codes = [_squeezed(code).removesuffix(" \\") for code in (*spans, *commands)]
        # A single mark, such as a bar, is no fact.
        known = (c for c in codes if len(c) <= CODE_CHARACTERS and re.search(r"\w", c))
        self.code = list(dict.fromkeys(known))
        self._all = _squeezed(text.replace("`", " ")).casefold()
        # Code is no prose: what looks like a name or a number in it is not one.
        prose = _MARK.sub("\n", _CODE.sub(" _ ", _FENCED.sub("\n", text)))
        self.facts = {fact.text: fact for fact in facts.facts(prose)}
        self.source = facts.Source(text.replace("`", " "))
        self.words = content_words(prose)
        self.stems = [stem(word) for word in self.words]

    def says(self, code: str) -> bool:
        """Whether a text has this code, in backquotes or without, not within a longer word."""
        pattern = rf"(?<![\w]){re.escape(_squeezed(code.replace('`', ' ')).casefold())}(?![\w])"
        return re.search(pattern, self._all) is not None


def _squeezed(text: str) -> str:
    return " ".join(text.split())
