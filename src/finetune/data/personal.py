"""Personal data in texts: found, counted, and masked where `data.mask_pii` says so.

E-mail addresses by their form; phone numbers by the numbering plans of libphonenumber; card
numbers, account numbers (IBAN) and national ids by their form and their check digits, by
python-stdnum. An id without check digits, such as a US social security number, cannot be told from
a part number, and is not looked for.
"""

import functools
import importlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune.core.errors import ParamsError
from finetune.core.rows import TaskRow
from finetune.tasks.registry import RawRow, Rows

# What is looked for, by the name of its count, with what stands for it in a masked text.
PLACEHOLDERS = {
    "email_addresses": "<email>",
    "account_numbers": "<account_number>",
    "card_numbers": "<card_number>",
    "national_ids": "<national_id>",
    "phone_numbers": "<phone>",
}


@dataclass(frozen=True, order=True)
class Found:
    """Where personal data stands in a text, and which."""

    start: int
    end: int
    name: str


# Bounded, and not begun amid a word: linear in the text's length, whatever it is.
# Of letters only Latin ones: in some scripts no blank stands before an address or a number.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9\u00c0-\u024f.+-])[A-Za-z0-9\u00c0-\u024f._!#$%&'*+/=?^`{|}~-]{1,64}@"
    r"(?:[A-Za-z0-9\u00c0-\u024f](?:[A-Za-z0-9\u00c0-\u024f-]{0,61}[A-Za-z0-9\u00c0-\u024f])?\.){1,8}"
    r"(xn--[A-Za-z0-9-]{2,59}|[A-Za-z]{2,24})(?![A-Za-z0-9])"
)
# Names of files such as logo@2x.png are written like addresses.
_FILE_ENDINGS = frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg", "css", "html", "js", "pdf"})

# By their first digits (ISO 7812): Visa, Mastercard, Discover, UnionPay and JCB; American Express;
# Diners. Of the last no bare run of digits: fourteen may be a GTIN.
_CARD = re.compile(
    r"(?<![\w.-])(?:"
    r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6011|64[4-9]\d|65\d\d|62\d\d|35[2-8]\d)"
    r"([ -]?)\d{4}\1\d{4}\1\d{4}"
    r"|3[47]\d\d([ -]?)\d{6}\2\d{5}"
    r"|3(?:0[0-5]|[689]\d)\d([ -])\d{6}\3\d{4}"
    r")(?![\w-]|\.\d)",
    re.ASCII,
)

_IBAN_START = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d\d(?=[ -]?[A-Z0-9])")
# An IBAN has at most 34 characters, in groups of four; the shortest one, Norway's, has 15.
_IBAN_CHARACTER = re.compile(r"[ -]?([A-Z0-9])")
_IBAN_SIZES = range(15, 35)

# National ids of which check digits, and dates or letters in fixed places, leave few look-alikes.
_NATIONAL_IDS = {
    "br.cpf": re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d\d(?![\w-])", re.ASCII),
    "cn.ric": re.compile(r"(?<!\w)[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d{4}[\dX](?!\w)", re.ASCII),
    "fi.hetu": re.compile(r"(?<![\w-])[0-3]\d[01]\d{3}[-+A]\d{3}[0-9A-Y](?![\w-])", re.ASCII),
    "fr.nir": re.compile(
        r"(?<!\w)[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d(?!\w)",
        re.ASCII,
    ),
    "it.codicefiscale": re.compile(
        r"(?<!\w)[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?!\w)", re.ASCII
    ),
    "mx.curp": re.compile(r"(?<!\w)[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d(?!\w)", re.ASCII),
}

# One of these is in any of the above. They are searched for first: most texts have neither, and a
# pattern that begins with a character, not with a look behind, is searched three times as fast.
_NUMBER = re.compile(r"\d(?:[ .+-]?\d){5}")
_LETTERED = re.compile(r"[A-Z]{2}\d\d[ -]?[A-Z0-9]")
_LETTERED_IDS = ("it.codicefiscale", "mx.curp")

# What may be a phone number, to spare libphonenumber all other texts. Without a plus or brackets it
# needs something between its groups: a bare run of digits is as well the number of a part.
_PHONE = re.compile(
    r"(?<![\w.,/+-])(?:"
    r"\+\d[\d ()./-]{6,24}\d"
    r"|(?:\(\d{2,5}\)|\d{1,5})[ )./-]{1,3}[\d ()./-]{4,20}\d"
    r")(?!\w)",
    re.ASCII,
)

# What every such number holds, and how few digits one has.
_SPACED_NUMBER = re.compile(r"\d[\d ()./-]{5,}\d")
MIN_PHONE_DIGITS = 7
# Blanks and dashes that are written for the plain ones, each one character.
_PLAIN = str.maketrans("\u00a0\u202f\u2010\u2011\u2012\u2013", "  ----")


def find(text: str, regions: Sequence[str]) -> list[Found]:
    """Personal data in a text, in order, none within another.

    `regions` are the countries whose phone numbers may stand without a plus and country code, as
    ISO 3166 has them.
    """
    text = text.translate(_PLAIN)
    found: list[Found] = []
    if "@" in text:
        _add(found, "email_addresses", _emails(text))
    if _LETTERED.search(text):
        _add(found, "account_numbers", _account_numbers(text))
        _add(found, "national_ids", _national_ids(text, is_lettered=True))
    if _NUMBER.search(text):
        _add(found, "card_numbers", _card_numbers(text))
        _add(found, "national_ids", _national_ids(text, is_lettered=False))
    if _SPACED_NUMBER.search(text):
        _add(found, "phone_numbers", _phone_numbers(text, regions))
    return sorted(found)


def masked(text: str, found: list[Found]) -> str:
    """A text with placeholders where personal data stood."""
    for each in reversed(found):
        text = f"{text[: each.start]}{PLACEHOLDERS[each.name]}{text[each.end :]}"
    return text


def _add(found: list[Found], name: str, spans: Iterator[tuple[int, int]]) -> None:
    """Add what does not stand within what was found before."""
    for start, end in spans:
        if not any(start < other.end and other.start < end for other in found):
            found.append(Found(start, end, name))


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text):
        if match[1].lower() not in _FILE_ENDINGS:
            yield match.span()


def _account_numbers(text: str) -> Iterator[tuple[int, int]]:
    """International bank account numbers; the country says how long each is, and mod 97 decides."""
    from stdnum import iban

    for start in _IBAN_START.finditer(text):
        number, end, ends = start.group(), start.end(), {}
        while len(number) < _IBAN_SIZES.stop - 1 and (
            following := _IBAN_CHARACTER.match(text, end)
        ):
            number, end = number + following[1], following.end()
            ends[len(number)] = end
        for size in reversed(_IBAN_SIZES):
            if size in ends and _ends_word(text, ends[size]) and iban.is_valid(number[:size]):
                yield start.start(), ends[size]
                break


def _ends_word(text: str, place: int) -> bool:
    return not text[place : place + 1].isalnum()


def _card_numbers(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match.group())):
            yield match.span()


def _national_ids(text: str, is_lettered: bool) -> Iterator[tuple[int, int]]:
    for module, form in _NATIONAL_IDS.items():
        if (module in _LETTERED_IDS) != is_lettered:
            continue
        for match in form.finditer(text):
            if _is_national_id(module)(match.group()):
                yield match.span()


@functools.cache
def _is_national_id(module: str) -> Callable[[str], bool]:
    is_valid: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid
    return is_valid


def _phone_numbers(text: str, regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    """With a plus any valid number; else one of a region, grouped just as it is written there."""
    from phonenumbers import Leniency, PhoneNumberMatcher

    place = 0
    while match := _PHONE.search(text, place):
        place = match.end()
        if sum(map(str.isdigit, match.group())) < MIN_PHONE_DIGITS:
            continue
        # With a character on both sides, which may rule it out.
        start = max(0, match.start() - 1)
        window = text[start : match.end() + 1]
        if match.group().startswith("+"):
            matchers = [PhoneNumberMatcher(window, None, Leniency.VALID)]
        else:
            matchers = [PhoneNumberMatcher(window, r, Leniency.EXACT_GROUPING) for r in regions]
        spans = [(start + n.start, start + n.end) for n in itertools.chain.from_iterable(matchers)]
        yield from spans
        # Two numbers side by side match as one, of which the first is found.
        place = max((end for _, end in spans), default=place)


class Screened:
    """The rows of a kind, personal data in them counted, and masked where asked.

    In its `fields` alone: a row's id stays as it is.
    """

    def __init__(
        self, kind: Rows, fields: Iterable[str], regions: Sequence[str], is_masking: bool
    ) -> None:
        """The same rows with what is found in `fields`; `regions` are as in `find`.

        Raises:
            ParamsError: one of the regions is none.
        """
        from phonenumbers import SUPPORTED_REGIONS

        for region in regions:
            if region not in SUPPORTED_REGIONS:
                raise ParamsError(
                    f"data.phone_regions: {region!r:.20} is no country; must be codes such as US"
                )
        self.Row = kind.Row
        self._kind, self._fields = kind, sorted(fields)
        self._regions, self._is_masking = regions, is_masking

    def peculiarities(self, row: RawRow) -> Iterator[str]:
        """The kind's own, and each sort of personal data once; of the row as it came."""
        yield from self._kind.peculiarities(row)
        texts = (text for name in self._fields for text in _texts(row.get(name)))
        yield from dict.fromkeys(each.name for text in texts for each in find(text, self._regions))

    def clean(self, row: RawRow) -> TaskRow:
        """The clean row, its personal data masked before the kind looks at it; see the kind's."""
        if self._is_masking:
            row = {**row, **{name: self._masked(row[name]) for name in self._fields if name in row}}
        return self._kind.clean(row)

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return masked(value, find(value, self._regions))
        if isinstance(value, list):
            return [self._masked(each) for each in value]
        if isinstance(value, Mapping):
            return {key: self._masked(each) for key, each in value.items()}
        return value


def _texts(value: Any) -> Iterator[str]:
    """The texts of a field: itself, or what it holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
