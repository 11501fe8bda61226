"""The embedded support tickets: one department each, in words that departments share."""

import itertools
import random
import re
from collections import Counter

import pytest

from synthetic.rows import tickets


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(itertools.islice(tickets.rows(random.Random(0)), 5000))


def test_thousands_of_rows_are_distinct_and_filled_in(rows):
    assert len({row["text"] for row in rows}) == len(rows)
    assert not [row for row in rows if re.search(r"[{}]|  ", row["text"])]


def test_a_seed_gives_the_same_rows(rows):
    assert list(itertools.islice(tickets.rows(random.Random(0)), 50)) == rows[:50]


def test_labels_come_by_their_weight(rows):
    counts = Counter(row["label"] for row in rows)
    total = sum(department.weight for department in tickets.DEPARTMENTS)
    for department in tickets.DEPARTMENTS:
        expected = len(rows) * department.weight / total
        assert counts[department.label] == pytest.approx(expected, rel=0.15)


def test_departments_share_their_words(rows):
    seen: dict[str, Counter[str]] = {}
    for row in rows:
        words = set(re.findall(r"\w+", row["text"].lower()))
        seen.setdefault(row["label"], Counter()).update(words)
    for word in ("charged", "parcel", "account", "order", "back", "card"):
        assert all(word in counts for counts in seen.values()), word


def found(text: str) -> list[str]:
    """The departments of the requests in a text, in their order."""
    places = []
    for department in tickets.DEPARTMENTS:
        for request in department.requests:
            pattern = re.sub(r"\\{\w+\\}", lambda _: r"[\w ]+?", re.escape(request))
            places += [(m.start(), department.label) for m in re.finditer(pattern, text)]
    return [label for _, label in sorted(places)]


def test_of_two_requests_the_words_between_them_say_which_one_counts(rows):
    first_counts = [each.split("} ")[1].split(" {")[0] for each in tickets.FIRST_COUNTS]
    requests = {row["text"]: found(row["text"]) for row in rows[:1000]}
    assert {len(labels) for labels in requests.values()} == {1, 2}
    for row in rows[:1000]:
        labels = requests[row["text"]]
        is_first = any(words in row["text"] for words in first_counts)
        assert row["label"] == labels[0 if is_first else -1]
    both = [labels for labels in requests.values() if len(labels) == 2]
    assert 250 < len(both) < 450
