"""All rows of a file, checked as `prepare` would: what is wrong, by line; repetitions; leaks."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.core.rows import TaskRow
from finetune.core.schema import NearDuplicates
from finetune.data import fields, readers, task_rows
from finetune.data.curation import Dropped
from finetune.documents import repeats
from finetune.inspecting.columns import Layout, Setting
from finetune.tasks import registry


@dataclass(frozen=True)
class Line:
    """What is to be said of a line: its place, and the rest of the sentence."""

    place: str
    what: str


@dataclass
class Checked:
    """The good rows of a file by their places, and what is wrong or odd.

    found: counts of what `prepare` counts. bad: rows that break the schema.
    """

    file: Path
    rows: list[TaskRow] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    bad: list[Line] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Rows, bad ones included."""
        return len(self.rows) + len(self.bad)

    @property
    def bad_rate(self) -> float:
        """The fraction of bad rows."""
        return len(self.bad) / self.total if self.total else 0.0


def check(file: Path, layout: Layout, setting: Setting) -> Checked:
    """Read and check every row of a file.

    Raises:
        DataError: it cannot be read as a whole.
    """
    known, data = setting.known, setting.data
    kind = task_rows.of_task(
        registry.rows(setting.kind, setting.prompt), known, setting.curate, data.phone_regions,
        data.mask_pii,
    )  # fmt: skip
    checked = Checked(file)
    first: dict[str, str] = {}
    for place, raw in _raw(file, layout, known.optional):
        try:
            if isinstance(raw, str):
                raise ValueError(raw)
            if "broken" in raw:
                raise ValueError(raw["broken"])
            odd = list(kind.peculiarities(raw))
            row = kind.clean(raw)
            if (before := first.setdefault(row.id, place)) != place:
                raise ValueError(f"id {row.id!r:.60} is that of {before} too")
        except Dropped as dropped:
            checked.found[dropped.count] += 1
            continue
        except ValueError as error:
            checked.bad.append(Line(place, " ".join(str(error).split())))
            continue
        checked.found.update(odd)
        checked.rows.append(row)
        checked.places.append(place)
    return checked


def _raw(
    file: Path, layout: Layout, optional: frozenset[str]
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """The rows in our field names, or what is wrong with one; without ids they have their place."""
    for place, row in readers.read(file, layout.delimiter):
        if isinstance(row, str):
            yield place, row
            continue
        taken = fields.take(row, layout.fields, list(layout.fields), optional)
        yield place, taken if "id" in layout.fields else {"id": place, **taken}


@dataclass(frozen=True)
class Repeats:
    """Rows that repeat others: of the file itself, and of the one that it must not share.

    other_answers: rows with the input of an earlier one and another answer.
    """

    empty: list[Line]
    exact: list[Line]
    other_answers: list[Line]
    near: list[Line]
    leaks: list[Line]
    near_leaks: list[Line]


def repeated(checked: Checked, against: Checked | None, near: NearDuplicates) -> Repeats:
    """The rows that repeat earlier ones, or those of another file, exactly or nearly.

    Those that do exactly are not listed as near ones again.
    """
    found = Repeats([], [], [], [], [], [])
    others: dict[str, str] = {}
    if against is not None:
        for row, place in zip(against.rows, against.places, strict=True):
            others.setdefault(row.input, f"{place} of {against.file.name}")
    rows: list[int] = []
    first: dict[str, tuple[str, str]] = {}
    for number, (row, place) in enumerate(zip(checked.rows, checked.places, strict=True)):
        if not (row.input.strip() and row.completion.strip()):
            what = "target" if row.input.strip() else "input"
            found.empty.append(Line(place, f"has no {what}: it would be dropped"))
            continue
        if row.input in others:
            found.leaks.append(Line(place, f"has the input of {others[row.input]}"))
        if row.input not in first:
            first[row.input] = place, row.completion
            rows.extend([] if row.input in others else [number])
            continue
        before, answer = first[row.input]
        if answer == row.completion:
            found.exact.append(Line(place, f"is {before} again"))
        else:
            found.other_answers.append(Line(place, f"asks what {before} asks, and answers else"))
    if near.threshold is not None:
        _near(checked, rows, against, list(others), near, found)
    return found


def _near(
    checked: Checked,
    rows: list[int],
    against: Checked | None,
    known: list[str],
    near: NearDuplicates,
    found: Repeats,
) -> None:
    places: dict[str, str] = {}
    if against is not None:
        for row, place in zip(against.rows, against.places, strict=True):
            places.setdefault(row.input, f"{place} of {against.file.name}")
    texts = [checked.rows[number].input for number in rows]
    for number, pair in zip(rows, repeats.earlier(texts, near, known), strict=True):
        if pair is None:
            continue
        other, similarity = pair
        is_own = other >= 0
        where = checked.places[rows[other]] if is_own else places[known[other]]
        line = Line(checked.places[number], f"is {similarity:.2f} like {where}")
        (found.near if is_own else found.near_leaks).append(line)
