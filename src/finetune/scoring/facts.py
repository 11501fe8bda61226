"""Facts that a text asserts and its source does not hold: names, numbers, times and days.

By rules alone, for English. A fact is a word or a few; it is supported where the source has it
anywhere, as it is or written otherwise: `5 pm` and `17:00`, `twenty` and `20`, `Anna's` and `ANNA`,
`tomorrow` and `tmrw`.

What this cannot see: supported facts in the wrong place ("Tom owes Ann 20" for "Ann owes Tom 20"),
whatever is no name, number, time or day ("the cat died" for "the cat is ill"), negations, and names
in lower case. Two names of which one begins the other (Paul, Paula) are one to it, and so are hours
of the morning and of the afternoon where one of them is said without either. It takes for
unsupported what the source says in other words: what must be counted or calculated ("three
friends", 90 minutes), a nickname (Bob for Robert), a misspelling, a country for its city.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = {
    "zero": 0,
    **{word: value for value, word in enumerate((*ONES, *TEENS), start=1)},
    **{word: 10 * value for value, word in enumerate(TENS, start=2)},
}
FACTORS = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "k": 1000}
# In words these mostly count people who are named, or stand for a thing.
UNCOUNTED = ("zero", "one", "two")
# What a source says without the number.
IMPLIED = {"half": (30, 0.5), "quarter": (15,), "hour": (60,), "couple": (2,), "dozen": (12,)}

# Days, months and days from now, with what a source may call them beside that.
DAYS = {
    "monday": "mon", "tuesday": "tues tue", "wednesday": "weds wed", "thursday": "thurs thur thu",
    "friday": "fri", "saturday": "sat", "sunday": "sun",
    "january": "jan", "february": "feb", "march": "mar", "april": "apr", "may": "", "june": "jun",
    "july": "jul", "august": "aug", "september": "sept sep", "october": "oct", "november": "nov",
    "december": "dec",
    "today": "2day now tonight", "tonight": "tonite 2nite 2night evening night today",
    "tomorrow": "tmr tmrw tmrrw tmorrow tomoz tomor tommo 2moro 2mrw 2morrow",
    "yesterday": "yday yest yesturday lastnight",
}  # fmt: skip
# Also verbs and the like: months only where they are capitalized within a sentence.
AMBIGUOUS = ("march", "may", "august")
# Words for one another.
SYNONYMS = (
    "mum mom mommy mummy mama mother", "dad daddy papa father", "grandma granny gran grandmother",
    "grandpa grandad granddad grandfather", "xmas mas christmas", "fb facebook", "insta instagram",
    "yt youtube", "uk england britain", "us usa america", "tv telly television",
)  # fmt: skip
ABBREVIATIONS = {
    "ny": "new york", "nyc": "new york", "nye": "new year eve", "la": "los angeles",
    "sf": "san francisco", "vegas": "las",
}  # fmt: skip
# What ends a sentence, or opens a turn or a quotation; and what only looks so.
ENDS = (".", "!", "?", ":", ";", "\n", " -", " –", " —")
TITLES = ("Mr.", "Mrs.", "Ms.", "Dr.")
# Capitalized wherever they stand, and no names.
CAPITALIZED = ("i", "mr", "mrs", "ms", "miss", "dr", "prof", "ok", "okay", "am", "pm", "internet")
# Words that are no names where they open a sentence, and all words there have a capital letter.
OPENING = frozenset(
    re.findall(
        r"\w+",
        """
        a about above according actually additionally after afterwards again all almost along
        already also although always among an and another any anybody anyone anything anyway apart
        apparently are around as at because before being besides better between both but by can
        children could despite did do does due during each either else enough even eventually ever
        every everybody everyone everything except few fewer finally first following for former
        friends from further furthermore get girls guests had has have having he hence her here hers
        him his how however if in indeed instead into is it its itself just last late later latter
        less let like little lots many maybe me meanwhile more moreover most much my neither never
        nevertheless next no nobody none nor not nothing now of off often on once one only or other
        others otherwise our out over parents people perhaps please presumably probably quite rather
        same second several she should since so some somebody somehow someone something sometimes
        soon still such than thanks that the their them then there therefore these they third this
        those though through thus till to together too under unless unlike until up upon very was we
        well were what whatever when whenever where whereas whether which while who whoever whose
        why will with within without would yes yet you your
        """,
    )
)

_CLOCK = re.compile(
    r"(?<![\w.,:/$€£])(?P<hour>[01]?\d|2[0-4])(?:[:.h](?P<minute>[0-5]\d))?(?:ish)?"
    r"(?:\s?(?P<half>[ap])\.?\s?m\b\.?|\s?(?P<oclock>o\s?['’]?\s?clock))?(?![\d:/%]|[.,]\d)",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"\b(?:(?:(?P<part>quarter|half)\s(?P<side>past|after|to|before)"
    r"|(?P<minutes>\d\d?|five|ten|twenty)\spast)\s|half\s)(?P<hour>\d\d?|[a-z]+)\b",
    re.IGNORECASE,
)
_NOON = re.compile(r"\b(?:noon|midday|(?P<midnight>midnight))\b", re.IGNORECASE)
_IN_WORDS = rf"(?:(?:{'|'.join(TENS)})[\s-](?:{'|'.join(ONES)})|{'|'.join(NUMBERS)})\b"
_FACTOR = rf"(?:{'|'.join(FACTORS)})\b"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:[.,]\d+)?|{_IN_WORDS}|a(?=\s{_FACTOR}))"
    rf"(?:[\s-]?{_FACTOR}(?:[\s-](?:and\s)?{_IN_WORDS})?)*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# What follows a name that opens a sentence: it is the subject, or says something.
_SUBJECT = re.compile(
    r"['’]s\b|:|\sand\s[A-Z]|\s(?:bought|came|can|could|did|felt|found|gave|got|had|knew|left|let|lost"
    r"|made|may|met|might|must|paid|said|saw|sent|should|sold|spent|thought|told|took|went|will|won"
    r"|would|wrote|[a-z]+(?:s|ed|n['’]t))\b"
)
_POSSESSIVE = re.compile(r"['’](?:s|ll|d|re|ve|m|t)$")

# The minute of half a day, and which half, "a" or "p"; None where that is not said.
Time = tuple[int, str | None]


@dataclass(frozen=True)
class Fact:
    """A fact as a text has it, where it begins, and the name, day, number or time that it is."""

    text: str
    start: int
    key: str | float | Time

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


class Source:
    """What a source holds, in the forms that facts are compared in."""

    def __init__(self, text: str) -> None:
        lower = _folded(text)
        self.words = {_bare(match[0]) for match in _WORD.finditer(text)}
        for group in (set(synonyms.split()) for synonyms in SYNONYMS):
            if group & self.words:
                self.words |= group
        self.words |= {w for short in self.words for w in ABBREVIATIONS.get(short, "").split()}
        self.spellings = {_squeezed(word) for word in self.words}
        self.names = {_bare(match[0]) for match in _WORD.finditer(text) if match[0][0].isupper()}
        self.names -= OPENING
        self.tokens = {*re.findall(r"\w+", lower), *self.words}
        self.run_together = re.sub(r"[\W_]+", "", lower)
        times = list(_times(text))
        self.times = {fact.key for fact in times}
        for time in times:  # the 5 of `5 am` is no number, or it would be that of `5 pm`
            text = text[: time.start] + "_" * len(time.text) + text[time.end :]
        self.numbers = {fact.key for fact in _numbers(text)}
        self.numbers |= {float(digits) for digits in re.findall(r"\d+", text)}
        self.numbers |= {n for word in self.tokens for n in IMPLIED.get(word, ())}

    def holds(self, fact: Fact) -> bool:
        """Whether a fact is supported."""
        match fact.key:
            case (minute, half):
                return self._holds_time(minute, half)
            case str() as day if day in DAYS:
                forms = {day, *DAYS[day].split()}
                written = {form for form in forms if len(form) > 4 and form in self.run_together}
                return bool(written or forms & self.tokens)
            case str() as name:
                return self._holds_name(name)
            case number:
                is_hour = number in range(1, 25)
                return number in self.numbers or (is_hour and self._has_hour(int(number)))

    def _has_hour(self, hour: int) -> bool:
        halves = ("p", None) if hour > 12 else ("a", "p", None)
        return any((hour % 12 * 60, half) in self.times for half in halves)

    def _holds_time(self, minute: int, half: str | None) -> bool:
        halves = {half, None} if half else {None, "a", "p"}
        if any((minute, each) in self.times for each in halves):
            return True
        # `at 5`, `at 17` and `at 1730` are numbers.
        hour, rest = divmod(minute, 60)
        hours = {hour or 12}
        if half != "p":
            hours |= {hour, 24} if hour == 0 else {hour}
        if half != "a":
            hours.add(hour + 12)
        bare = hours if rest == 0 else set()
        return bool((bare | {100 * each + rest for each in hours}) & self.numbers)

    def _holds_name(self, name: str) -> bool:
        if name in self.words or _squeezed(name) in self.spellings:
            return True
        if len(name) > 4 and name in self.run_together:
            return True
        return any(
            min(len(name), len(other)) > 2 and (name.startswith(other) or other.startswith(name))
            for other in self.names
        )


def unsupported(text: str, source: str) -> list[str]:
    """The facts of a text that its source does not hold, as the text has them, in their order.

    Words of a name that follow each other are one fact. Each fact is listed once.
    """
    known = Source(source)
    missing = [fact for fact in facts(text) if not known.holds(fact)]
    listed: list[str] = []
    before: Fact | None = None
    for fact in missing:
        if before and text[before.end : fact.start] == " " and _is_name(before) and _is_name(fact):
            listed[-1] += f" {fact.text}"
        else:
            listed.append(fact.text)
        before = fact
    return list(dict.fromkeys(listed))


def facts(text: str) -> list[Fact]:
    """The names, days, numbers and times of a text, in their order.

    A capitalized word is a name; at the start of a sentence, where it is none of `OPENING` and
    looks like the subject.
    """
    times = list(_times(text))
    others = [
        fact
        for fact in (*_numbers(text), *_days_and_names(text))
        if fact.text.lower() not in UNCOUNTED
        and not any(time.start <= fact.start < time.end for time in times)
    ]
    return sorted([*times, *others], key=lambda fact: fact.start)


def _is_name(fact: Fact) -> bool:
    return isinstance(fact.key, str) and fact.key not in DAYS


def _times(text: str) -> Iterator[Fact]:
    """Times of day; an hour alone is a number."""
    for match in _CLOCK.finditer(text):
        if match["minute"] or match["half"] or match["oclock"]:
            hour, half = int(match["hour"]), (match["half"] or "").lower() or None
            if half is None and (hour > 12 or hour == 0):
                half = "p" if 12 < hour < 24 else "a"
            key = (hour % 12 * 60 + int(match["minute"] or 0), half)
            yield Fact(match[0].strip().rstrip("."), match.start(), key)
    for match in _SPOKEN.finditer(text):
        spoken = _value(match["hour"])
        if spoken is not None and spoken in range(1, 13):
            # The British `half five` is half past five.
            minutes = {"quarter": 15, "half": 30}.get((match["part"] or "half").lower(), 0)
            if match["minutes"]:
                minutes = int(_value(match["minutes"]) or 0)
            is_before = (match["side"] or "").lower() in ("to", "before")
            minute = 60 * int(spoken) + (-minutes if is_before else minutes)
            yield Fact(match[0], match.start(), (minute % 720, None))
    for match in _NOON.finditer(text):
        yield Fact(match[0], match.start(), (0, "a" if match["midnight"] else "p"))


def _numbers(text: str) -> Iterator[Fact]:
    """Numbers in digits or words, of any unit: `20`, `$1,000`, `twenty-five`, `5th`, `10k`."""
    for match in _NUMBER.finditer(text):
        value = _value(match[0])
        if value is not None:
            yield Fact(match[0], match.start(), value)


def _value(text: str) -> float | None:
    """The number that a text says; None if it is none."""
    total = part = 0.0
    for word in re.findall(r"[\d.,]+|[^\W\d]+", text.lower()):
        if word[0].isdigit():
            is_grouped = re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", word)
            part += float(word.replace(",", "" if is_grouped else "."))
        elif word in NUMBERS:
            part += NUMBERS[word]
        elif word in FACTORS:
            part = max(part, 1) * FACTORS[word]
            if word not in ("hundred", "dozen"):
                total, part = total + part, 0
        elif word not in ("a", "and"):
            return None
    return total + part


def _days_and_names(text: str) -> Iterator[Fact]:
    for match in _WORD.finditer(text):
        name = _POSSESSIVE.sub("", match[0])
        bare, is_capitalized = _folded(name), name != name.lower()
        is_opening = _is_opening(text, match.start())
        day = bare if bare in DAYS else bare.removesuffix("s")
        if day in DAYS and (day not in AMBIGUOUS or (is_capitalized and not is_opening)):
            yield Fact(name, match.start(), day)
        elif is_capitalized and not _is_no_name(bare):
            after = text[match.start() + len(name) :]
            if not is_opening or (_may_open(bare) and _SUBJECT.match(after)):
                yield Fact(name, match.start(), bare)


def _is_opening(text: str, start: int) -> bool:
    """Whether a sentence begins at that place."""
    before = text[max(0, start - 9) : start].rstrip(" \t\"“”'‘(")
    return not before or (before.endswith(ENDS) and not before.endswith(TITLES))


def _is_no_name(word: str) -> bool:
    """Whether a capitalized word is none wherever it stands."""
    return len(word) < 2 or word in CAPITALIZED or word in NUMBERS or word in FACTORS


def _may_open(word: str) -> bool:
    """Whether a word may be a name though it opens a sentence."""
    return word not in OPENING and word not in AMBIGUOUS and not word.endswith("ing")


def _folded(text: str) -> str:
    """Text in lower case and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _bare(word: str) -> str:
    """A word in lower case, without a possessive or what is left of a verb."""
    return _folded(_POSSESSIVE.sub("", word))


def _squeezed(word: str) -> str:
    """A word with its double letters as one: they are what names are misspelled by most."""
    return re.sub(r"(.)\1+", r"\1", word)
