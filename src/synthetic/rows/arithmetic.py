"""Word problems of one to three steps with worked solutions, in the shape of GSM8K.

Somebody has some things, maybe in boxes, gets or loses some of them, and maybe shares them equally.
Each step is a line of the solution; the last line is `####` and the answer. All numbers are whole
and at most 999.
"""

import hashlib
from collections.abc import Iterator
from random import Random

from synthetic.rows.names import NAMES

MAX_NUMBER = 999
MAX_STEPS = 3
THINGS = (
    "apples", "books", "buttons", "cards", "coins", "cookies", "eggs", "flowers", "lemons",
    "marbles", "nails", "pencils", "photos", "shells", "stamps", "stickers",
)  # fmt: skip
CONTAINERS = ("bags", "bowls", "boxes", "drawers", "jars", "shelves")
# Sentences of what changes: `{n}` things more or fewer.
GAINS = (
    "{name} buys {n} more.",
    "Then {name} finds {n} {things}.",
    "{friend} brings {n} {things} more.",
    "{name} gets {n} {things} from {friend}.",
)
LOSSES = (
    "{name} gives {n} to {friend}.",
    "Then {name} sells {n} {things}.",
    "{name} loses {n} of them.",
    "{friend} takes {n} of the {things}.",
)


class _Problem:
    """A problem as it grows: its sentences, the lines of its solution, and the number by now."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.name, self.friend = rng.sample(NAMES, 2)
        self.things = rng.choice(THINGS)
        self.sentences: list[str] = []
        self.lines: list[str] = []
        self.number = 0
        self.question = ""

    def start(self, is_multiplied: bool) -> None:
        """What there is at first: a number, or boxes of so many (which is a step)."""
        if not is_multiplied:
            self.number = self.rng.randint(5, 400)
            self.sentences.append(f"{self.name} has {self.number} {self.things}.")
            return
        count, each = self.rng.randint(2, 12), self.rng.randint(2, 40)
        container = self.rng.choice(CONTAINERS)
        self.number = count * each
        self.sentences.append(
            f"{self.name} has {count} {container} with {each} {self.things} in each."
        )
        self.lines.append(f"{self.name} has {count} * {each} = {self.number} {self.things}.")

    def change(self) -> None:
        """A step in which the number grows or shrinks."""
        is_gain = self.number < 20 or (self.number < MAX_NUMBER - 20 and self.rng.random() < 0.5)
        most = MAX_NUMBER - self.number if is_gain else self.number - 1
        n = self.rng.randint(2, min(most, 200))
        template = self.rng.choice(GAINS if is_gain else LOSSES)
        self.sentences.append(
            template.format(name=self.name, friend=self.friend, n=n, things=self.things)
        )
        before, self.number = self.number, self.number + (n if is_gain else -n)
        sign, word = ("+", "Then") if is_gain else ("-", "After that")
        self.lines.append(f"{word} {self.name} has {before} {sign} {n} = {self.number}.")

    def share(self) -> bool:
        """A last step in which the things are shared equally; false where they cannot be."""
        parts = [count for count in range(2, 13) if self.number % count == 0]
        if not parts:
            return False
        count = self.rng.choice(parts)
        self.sentences.append(f"{self.name} puts them into {count} bags, as many into each.")
        self.question = f"How many {self.things} are in a bag?"
        before, self.number = self.number, self.number // count
        self.lines.append(f"In a bag there are {before} / {count} = {self.number}.")
        return True


def rows(rng: Random) -> Iterator[dict[str, str]]:
    """Endless rows of `question` and `answer`, whose last line is `#### NUMBER`.

    No question comes twice.
    """
    seen: set[bytes] = set()
    while True:
        row = _row(rng)
        digest = hashlib.blake2b(row["question"].encode(), digest_size=8).digest()
        if digest not in seen:
            seen.add(digest)
            yield row


def _row(rng: Random) -> dict[str, str]:
    problem, steps = _Problem(rng), rng.randint(1, MAX_STEPS)
    problem.start(is_multiplied=rng.random() < 0.5)
    while len(problem.lines) < steps:
        is_last = len(problem.lines) == steps - 1
        if not (is_last and rng.random() < 0.4 and problem.share()):
            problem.change()
    question = problem.question or f"How many {problem.things} does {problem.name} have in the end?"
    return {
        "question": " ".join([*problem.sentences, question]),
        "answer": "\n".join([*problem.lines, f"#### {problem.number}"]),
    }
