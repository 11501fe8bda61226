"""Checks and normalization of texts, amounts and ids of raw rows, for all kinds of tasks."""

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from finetune.core.errors import brief

# What may stand before an amount of US dollars: the first is shown in messages; the last, the code,
# may stand behind it too.
DOLLARS = ("$", "US$", "USD")
# Digits as people in the US write them: "5", "1,299". In India the groups before the last have two:
# "1,29,900".
_DIGITS = r"\d+|\d{1,3}(?:,\d{3})+"
_DIGITS_ELSEWHERE = rf"{_DIGITS}|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}"
# A number amid a text: 1,299.00 or 12.5, or 1,29,900 as in India.
NUMBER = r"(?:\d{1,2}(?:,\d{2})+,\d{3}|\d+(?:,\d{3})*)(?:\.\d+)?"


@functools.cache
def _written(marks: tuple[str, ...]) -> re.Pattern[str]:
    either, after = "|".join(map(re.escape, marks)), re.escape(marks[-1])
    digits = _DIGITS if marks == DOLLARS else _DIGITS_ELSEWHERE
    return re.compile(
        rf"(?P<sign>{either})?\s?(?P<digits>{digits})(?P<cents>\.\d*)?(?P<after>\s?{after})?"
    )


def text_field(row: Mapping[str, Any], name: str) -> str:
    """A field that must be text.

    Raises:
        ValueError: it is missing, of another type, or not encodable.
    """
    value = row.get(name)
    if value is None:
        raise ValueError(f"{name} is missing")
    if not isinstance(value, str):
        raise ValueError(f"{name} is {brief(value)}, must be text")
    return _encodable(value, name)


def _encodable(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} holds an unpaired surrogate at position {error.start}") from None
    return text


def id_field(row: Mapping[str, Any]) -> str:
    """The row's id as text.

    Raises:
        ValueError: it is missing, empty, neither text nor an integer, or not encodable.
    """
    value = row.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int) or str(value).strip() == "":
        raise ValueError(f"id is {brief(value)}, must be text or an integer")
    return _encodable(str(value), "id")


def normalized(text: str) -> str:
    """The text with `\\n` as its only line end and without blanks around lines or the text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.strip() for line in lines).strip()


def words(text: str) -> str:
    """The words of a text between single blanks, without case and punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def contains_words(text: str, part: str) -> bool:
    """Whether the words of `part`, one at least, follow each other in a text."""
    return bool(words(part)) and f" {words(part)} " in f" {words(text)} "


def amount(text: str, name: str, marks: tuple[str, ...] = DOLLARS) -> float | str:
    """The amount that a text says, such as `12.5`, `$1,299.00` or `1,299.00 USD`; else the text.

    `marks` are what may stand before it, its currency's code last: that may also stand behind it.

    Raises:
        ValueError: it may be two amounts: `1,299` alone is 1.299 where the comma is a decimal mark.
    """
    # `1_000` is a number to Python alone.
    if "_" in text:
        return text
    try:
        return float(text)
    except ValueError:
        written = _written(marks).fullmatch(text.strip())
    if not written:
        return text
    digits, cents = written["digits"], written["cents"] or ""
    if digits.count(",") == 1 and not (cents or written["sign"] or written["after"]):
        raise ValueError(
            f"{name} is {brief(text)}, which may be {digits.replace(',', '.')} or "
            f"{digits.replace(',', '')}; write {marks[0]}{digits}, or the number without a comma"
        )
    return float(digits.replace(",", "") + cents)


@functools.cache
def any_mark(marks: tuple[str, ...]) -> str:
    """A pattern of any of these marks amid a text; a code, such as EUR, is a word of its own.

    A digit may stand beside it: `5EUR`.
    """
    return rf"(?:{'|'.join(map(_mark, marks))})"


def _mark(mark: str) -> str:
    before = r"(?<![^\W\d])" if mark[0].isalpha() else ""
    after = r"(?![^\W\d])" if mark[-1].isalpha() else ""
    return before + re.escape(mark) + after


def amount_in(text: str, marks: tuple[str, ...] = DOLLARS) -> float | None:
    """The first number beside a mark of the currency in a text, or else the first; None for none.

    Not one that is negative, and none where that number's decimal mark is not clear, as in `15,99`.
    """
    numbers = [number for number in _numbers(marks).finditer(text) if not _is_negative(number)]
    marked = (number for number in numbers if number["before"] or number["after"])
    # A number behind a hyphen is part of a name, or the end of a range.
    others = (
        number for number in numbers if not re.search(r"\w[−-]$", text[: number.start("digits")])
    )
    found = next(marked, None) or next(others, None)
    if found is None or not re.fullmatch(NUMBER, found["digits"]):
        return None
    return float(found["digits"].replace(",", ""))


@functools.cache
def _numbers(marks: tuple[str, ...]) -> re.Pattern[str]:
    """Digits with all points and commas between them, a sign and the marks beside them."""
    mark = any_mark(marks)
    return re.compile(
        rf"(?:(?P<outer>[−-])?(?P<before>{mark})\s?|(?<![\w.,]))(?P<sign>[−-])?"
        rf"(?P<digits>\d(?:[\d.,]*\d)?)(?P<after>\s?{mark})?"
    )


def _is_negative(number: re.Match[str]) -> bool:
    """Whether its sign is a minus, and no dash of a range: `15-20`."""
    is_range = re.search(r"[\w.,]$", number.string[: number.start()])
    return bool(number["sign"] or number["outer"]) and not is_range


def input_hash(text: str) -> str:
    """A short hash of the text that a row asks about, by which two runs' rows are paired."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
