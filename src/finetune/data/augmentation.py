"""More train rows out of those there are, as a task's `source.augment` says.

A row that was made is called after the one that it was made of, `ID/renamed-1` or
`ID/paraphrase-1`, and says so in `made_from`: whoever reads the data can leave it out.
"""

import functools
import itertools
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from finetune.core.rows import TaskRow
from finetune.core.schema import Augment
from finetune.core.text import input_hash
from finetune.data import paraphrases
from finetune.data.paraphrases import Paraphrase
from finetune.data.split import text_hash

# What stands before the colon of a line, where it is a name: one word, capitalized.
_SPEAKER = re.compile(r"^([^\W\d_]\w*):", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+")
_PRONOUNS = {"he": "he", "him": "he", "his": "he", "she": "she", "her": "she", "hers": "she"}
# A name that is written without its capital more often than this, as a fraction of how often it is
# written with it, is a word too. People in chats write some names so.
MAX_LOWER = 0.1
# Rows that `is_near` is asked for at a time.
BATCH = 4096


@dataclass(frozen=True)
class Augmented:
    """The rows that are made of others, and how many of each sort, as in `data.json`.

    `input` is the field that paraphrases are of. A row is left out whose input is among the hashes
    of `known` inputs or of those made before it, or for which `is_near` is true, which is asked for
    some inputs at a time: it may be a test row.
    """

    rows: Sequence[TaskRow]
    options: Augment
    input: str
    seed: int
    known: Collection[bytes] = frozenset()
    is_near: Callable[[Sequence[str]], Sequence[bool]] = lambda texts: [False] * len(texts)
    counts: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[TaskRow]:
        """The rows, made as they are asked for; counted when all have been.

        Raises:
            DataError: the file of paraphrases is not there, not the one that is pinned, or none.
        """
        known = set(self.known)
        made = self._made()
        while batch := list(itertools.islice(made, BATCH)):
            near = self.is_near([row.input for _, row in batch])
            for (how, row), row_is_near in zip(batch, near, strict=True):
                key = text_hash(row.input)
                if row_is_near or key in known:
                    self.counts[f"repeated_{how}"] += 1
                    continue
                known.add(key)
                self.counts[f"added_{how}"] += 1
                yield row

    def _made(self) -> Iterator[tuple[str, TaskRow]]:
        """The rows, and how each was made."""
        if self.options.rename_speakers:
            yield from self._renamed(self.options.rename_speakers)
        if self.options.paraphrases:
            yield from self._paraphrased(paraphrases.read(self.options.paraphrases))

    def _renamed(self, times: int) -> Iterator[tuple[str, TaskRow]]:
        names = Names.of(self.rows)
        for row in self.rows:
            for number in range(1, times + 1):
                made = names.renamed(row, number, self.seed)
                if made is None:
                    self.counts["not_renamed"] += 1
                else:
                    yield "renamed", _made_from(row, made, f"renamed-{number}")

    def _paraphrased(
        self, by_id: Mapping[str, Sequence[Paraphrase]]
    ) -> Iterator[tuple[str, TaskRow]]:
        used = 0
        for row in self.rows:
            own = input_hash(getattr(row, self.input))
            texts = [each.paraphrase for each in by_id.get(row.id, ()) if each.text_hash == own]
            used += len(texts)
            for number, text in enumerate(texts, start=1):
                made = row.model_copy(update={self.input: text})
                yield "paraphrase", _made_from(row, made, f"paraphrase-{number}")
        # Of rows that the train split does not have, or has with another text.
        self.counts["unused_paraphrase"] += sum(map(len, by_id.values())) - used


def _made_from(row: TaskRow, made: TaskRow, how: str) -> TaskRow:
    return made.model_copy(update={"id": f"{row.id}/{how}", "made_from": row.id})


def speakers(dialogue: str) -> list[str]:
    """The speakers who are called by one capitalized word, each once, in their order."""
    names = (name for name in _SPEAKER.findall(dialogue) if name[0].isupper())
    return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Names:
    """Names that stand for nothing but a person, each with its pronouns where they are known."""

    pronouns: Mapping[str, str | None]

    @classmethod
    def of(cls, rows: Iterable[TaskRow]) -> "Names":
        """The speakers of these rows but for those that are words too, such as Will.

        A name's pronouns are those of most summaries that name nobody else.
        """
        said: set[str] = set()
        written: Counter[str] = Counter()
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            own = speakers(row.input)
            said.update(own)
            for text in (row.input, row.completion):
                written.update(_WORD.findall(text))
            words = _WORD.findall(row.completion)
            named = set(own) & set(words)
            if len(named) == 1:
                spoken = {_PRONOUNS[word.lower()] for word in words if word.lower() in _PRONOUNS}
                found[named.pop()].update(spoken)
        names = (name for name in said if written[name.lower()] <= MAX_LOWER * written[name])
        return cls({name: _most(found[name]) for name in sorted(names)})

    @functools.cached_property
    def _alike(self) -> dict[str | None, list[str]]:
        """The names by their pronouns."""
        alike: dict[str | None, list[str]] = defaultdict(list)
        for name, pronouns in self.pronouns.items():
            alike[pronouns].append(name)
        return alike

    def renamed(self, row: TaskRow, number: int, seed: int) -> TaskRow | None:
        """A row whose speakers have other names with the same pronouns, also in its summaries.

        The same for the same seed and `number`, whatever other rows there are before it; None where
        no speaker can be renamed. A name that the row has already is given to nobody.
        """
        rng = random.Random(f"{seed}-{number}-{row.id}")
        taken = {word for text in row.texts for word in _WORD.findall(text)}
        others: dict[str, str] = {}
        for name in speakers(row.input):
            if name not in self.pronouns:
                continue
            alike = self._alike[self.pronouns[name]]
            # One of so many is not taken, if there is one.
            drawn = rng.sample(alike, min(len(alike), len(taken) + 1))
            free = next((other for other in drawn if other not in taken), None)
            if free is None:
                return None
            others[name] = free
            taken.add(free)
        if not others:
            return None
        pattern = re.compile(rf"\b({'|'.join(map(re.escape, others))})\b")

        def replaced(text: str) -> str:
            return pattern.sub(lambda match: others[match[1]], text)

        return row.rewritten(replaced)


def _most(pronouns: Counter[str]) -> str | None:
    """Those that were counted more often; None for a draw."""
    ordered = pronouns.most_common()
    if not ordered or (len(ordered) > 1 and ordered[0][1] == ordered[1][1]):
        return None
    return ordered[0][0]
