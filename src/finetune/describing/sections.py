"""The data card in words and tables: for its Markdown file and for the report alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune.scoring import numbers
from finetune.scoring.numbers import number

# The shift's AUC from which on train and test are called different mixes, not just different.
MIXED = 0.7
BAR = 16
TITLES = {
    "input_words": "words of an input",
    "input_characters": "characters of an input",
    "target_words": "words of a target",
    "target_characters": "characters of a target",
}
PERSONAL = {
    "found_email_addresses": "e-mail addresses",
    "found_phone_numbers": "phone numbers",
    "found_card_numbers": "card numbers",
    "found_account_numbers": "account numbers (IBAN)",
    "found_national_ids": "national ids",
}
QUANTILES = {
    "mean": "mean",
    "median": "median",
    "p95": "95th percentile",
    "min": "least",
    "max": "most",
}
_NO_LANGUAGE = "not clear"


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and a table whose first cells are the rows' headings."""

    title: str
    notes: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def sections(
    card: Mapping[str, Any], counts: Mapping[str, Any], with_bars: bool = False
) -> list[Section]:
    """All but source, shift and examples; `counts` are those of `data.json`.

    With bars, histograms are drawn, by characters.
    """
    return [
        _lengths(card),
        *_measures(card, with_bars),
        *_groups(card),
        _languages(card),
        _placeholders(card),
        _personal(counts, card["is_masked"]),
    ]


def shift_sentences(card: Mapping[str, Any]) -> list[str]:
    """Whether train and test can be told apart, by their inputs and by each measure."""
    shift = card["shift"]
    aucs = shift["auc"]
    if "input" not in aucs:
        return ["Too few rows of train or test to say whether they are alike."]
    auc = aucs["input"]
    level = numbers.percent(shift["confidence"])
    interval = f"{auc['mean']:.2f} [{auc['low']:.2f}, {auc['high']:.2f}]"
    measured = (
        f"A classifier that learns to tell inputs of test from inputs of train has an AUC of "
        f"{interval} ({level} interval; {number(shift['rows_of_each'], 0)} rows of each, "
        "cross-validated; 0.5: it cannot tell them apart)."
    )
    return [_verdict(auc), measured, *_measures_shifted(card)]


def _verdict(auc: Mapping[str, float]) -> str:
    if auc["low"] > 0.5 and auc["mean"] >= MIXED:
        return (
            "Train and test are of different mixes: test rows are unlike those that a model learns "
            "from, and validation rows that were drawn from train say little about test."
        )
    if auc["low"] > 0.5:
        return "Train and test differ, if not by much."
    return "Train and test cannot be told apart by their inputs."


def _measures_shifted(card: Mapping[str, Any]) -> Iterator[str]:
    for title, of in card["measures"].items():
        auc = card["shift"]["auc"].get(title)
        if auc is None or auc["low"] <= 0.5 <= auc["high"]:
            continue
        train, test = (of["splits"][name] for name in ("train", "test"))
        higher = "higher" if auc["mean"] > 0.5 else "lower"
        yield (
            f"{title[0].upper()}{title[1:]} is {higher} in test: mean {_figure(train['mean'])} in "
            f"train and {_figure(test['mean'])} in test, median {_figure(train['median'])} and "
            f"{_figure(test['median'])} (AUC {auc['mean']:.2f} [{auc['low']:.2f}, "
            f"{auc['high']:.2f}])."
        )


def _lengths(card: Mapping[str, Any]) -> Section:
    rows = [
        [f"{TITLES[length]}, {split}", *_quantiles(of)]
        for length, splits in card["lengths"].items()
        for split, of in splits.items()
    ]
    return Section("Lengths", [], ["length", *QUANTILES.values()], rows)


def _measures(card: Mapping[str, Any], with_bars: bool) -> Iterator[Section]:
    for title, of in card["measures"].items():
        rows = [[split, *_quantiles(each)] for split, each in of["splits"].items()]
        yield Section(_title(title), [], ["split", *QUANTILES.values()], rows)
        histogram = of["histogram"]
        if not histogram:
            continue
        splits = histogram["counts"]
        bins = [
            [_range(*ends), *(_bin(counts, place, with_bars) for counts in splits.values())]
            for place, ends in enumerate(histogram["bins"])
        ]
        yield Section(f"{_title(title)}, rows by value", [], ["value", *splits], bins)


def _range(low: float, high: float) -> str:
    return _figure(low) if low == high else f"{_figure(low)} – {_figure(high)}"


def _bin(counts: Sequence[int], place: int, with_bar: bool) -> str:
    """A count, and a bar as long as it is beside the split's others."""
    filled = round(BAR * counts[place] / max(*counts, 1)) if with_bar else 0
    return f"{number(counts[place], 0)} {'█' * filled}".strip()


def _groups(card: Mapping[str, Any]) -> Iterator[Section]:
    for title, table in card["groups"].items():
        yield Section(f"Rows by {title}", [], [title, *card["rows"]], _shares(table, card["rows"]))


def _languages(card: Mapping[str, Any]) -> Section:
    sampled = ", ".join(f"{name} {number(n, 0)}" for name, n in card["sampled_rows"].items())
    letters = {split: sum(of[split] for of in card["scripts"].values()) for split in card["rows"]}
    rows = [
        *([f"letters: {name}", *_cells(of, letters)] for name, of in card["scripts"].items()),
        *(
            [f"rows: {name}", *_cells(of, card["sampled_rows"])]
            for name, of in card["languages"].items()
        ),
    ]
    note = (
        f"Of a sample of rows ({sampled}). A language is a guess (py3langid); where the likeliest "
        f"one has a probability below 0.9 it is {_NO_LANGUAGE}, as it often is of short texts."
    )
    return Section("Scripts and languages", [note], ["", *card["rows"]], rows)


def _placeholders(card: Mapping[str, Any]) -> Section:
    if not card["placeholders"]:
        return Section("Placeholders", ["None that five rows have, such as <file_gif>."])
    rows = _shares(card["placeholders"], card["rows"])
    return Section("Placeholders", [], ["rows with", *card["rows"]], rows)


def _personal(counts: Mapping[str, Any], is_masked: bool) -> Section:
    """Of rows as they came, by what was looked for."""
    rows = [
        [title, *(number(split.get(count, 0), 0) for split in counts.values())]
        for count, title in PERSONAL.items()
        if any(split.get(count) for split in counts.values())
    ]
    masked = "masked (data.mask_pii)" if is_masked else "not masked; data.mask_pii=true does"
    if not rows:
        known = ", ".join(PERSONAL.values())
        return Section("Personal data", [f"None was found, of {known}."])
    note = f"Of rows as they came from the source; {masked}."
    return Section("Personal data", [note], ["rows with", *counts], rows)


def _shares(table: Mapping[str, Mapping[str, int]], of: Mapping[str, int]) -> list[list[str]]:
    return [[name, *_cells(splits, of)] for name, splits in table.items()]


def _cells(splits: Mapping[str, int], of: Mapping[str, int]) -> list[str]:
    """Counts, each with its share of the split."""
    return [
        f"{number(n, 0)} ({100 * n / of[split]:.3g}{numbers.TIGHT}%)" if of[split] else number(n, 0)
        for split, n in splits.items()
    ]


def _quantiles(of: Mapping[str, float]) -> list[str]:
    return [_figure(of[key]) if key in of else "–" for key in QUANTILES]


def _figure(value: float) -> str:
    """A number with as many decimals as it needs, two at most."""
    return number(value, 0 if value == round(value) else 1 if abs(value) >= 100 else 2)


def _title(title: str) -> str:
    return title[0].upper() + title[1:]
