"""Metrics by the names and units that a person knows, and numbers as a person reads them."""

import math
from dataclasses import dataclass

from finetune.tasks.scores import METRICS

MINUS = "−"
# Not to be broken between lines: a number and its unit, the two ends of an interval.
TIGHT = "\u00a0"
LIST = f",{TIGHT}"


@dataclass(frozen=True)
class Measure:
    """A metric: its key in the metric files, its title, its unit and the decimals worth reading."""

    key: str
    title: str
    unit: str = ""
    decimals: int = 2
    higher_is_better: bool = True

    def number(self, value: float | None) -> str:
        """A score without its unit."""
        return number(value, self.decimals)

    def amount(self, value: float | None) -> str:
        """A score with its unit."""
        return f"{self.number(value)}{TIGHT}{self.unit}".strip()

    def ends(self, low: float, high: float) -> str:
        """An interval in brackets, without its unit."""
        return f"[{self.number(low)}{LIST}{self.number(high)}]"

    @property
    def subject(self) -> str:
        """Its title where a sentence begins to speak of it: ROUGE-1, the mean absolute error."""
        return f"the {self.title}" if self.title.islower() else self.title

    @property
    def direction(self) -> str:
        """Which way is good."""
        return "higher is better" if self.higher_is_better else "lower is better"


# Key → title, unit, decimals.
KNOWN = {
    "rouge1": ("ROUGE-1", "points", 1),
    "rouge2": ("ROUGE-2", "points", 1),
    "rougeL": ("ROUGE-L", "points", 1),
    "rougeLsum": ("ROUGE-Lsum", "points", 1),
    "length_ratio": ("length ratio", "", 2),
    "perplexity": ("perplexity", "", 2),
    "mae": ("mean absolute error", "USD", 2),
    "median_error": ("median absolute error", "USD", 2),
    "rmsle": ("RMSLE", "", 3),
    "r2": ("R²", "", 3),
    "hits": ("hits", "%", 1),
    "crps": ("CRPS", "USD", 2),
    "coverage_50": ("in the 50 % interval", "%", 1),
    "coverage_90": ("in the 90 % interval", "%", 1),
    "outside": ("mass on no price", "%", 2),
}


# What a metric is, for those who do not know its name.
MEANINGS = {
    "rouge1": "words shared with the reference (F1, 0 to 100)",
    "rouge2": "pairs of neighbouring words shared with it",
    "rougeL": "the longest run of words shared with it, in order, gaps allowed",
    "rougeLsum": "the same, line by line",
    "length_ratio": "words written for each word of the references; at 1 they are as long",
    "perplexity": "how unlikely the references are to the model, per token; 1 is certain",
    "mae": "how far off a price is on average",
    "median_error": "how far off half of the prices are at most",
    "rmsle": "root mean squared difference of log(1 + price)",
    "r2": "share of the prices' variance that is told; below 0, one price does better",
    "hits": "prices that are close (tasks.…score: within hit_usd or within hit_share)",
    "crps": "error of the whole predicted distribution; of a single price, the absolute error",
    "coverage_50": "true prices within the central 50 % of it; 50 is best",
    "coverage_90": "true prices within the central 90 % of it; 90 is best",
    "outside": "probability of answers that are no whole price from 0 to 999",
}


def measure(kind: str, key: str) -> Measure:
    """A metric of a kind; one without a title of its own goes by its key."""
    title, unit, decimals = KNOWN.get(key, (key.replace("_", " "), "", 2))
    metric = METRICS[kind].get(key)
    return Measure(key, title, unit, decimals, not (metric and metric.higher_is_better is False))


def first(kind: str) -> Measure:
    """The metric that a kind is judged by."""
    return measure(kind, next(iter(METRICS[kind])))


def number(value: float | None, decimals: int) -> str:
    """`1,234`, `−0.5`, `3.2e+12`; a dash for what is not there or not finite."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 1e9:
        return f"{value:.1e}".replace("-", MINUS)
    text = f"{value:,.{0 if abs(value) >= 1000 else decimals}f}"
    is_zero = not text.strip("-0.,")
    return text.lstrip("-") if is_zero else text.replace("-", MINUS)


def signed(value: float, decimals: int) -> str:
    """A number with its sign."""
    text = number(value, decimals)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def percent(confidence: float) -> str:
    """`95 %` of 0.95."""
    return f"{100 * confidence:g}{TIGHT}%"


def share(part: float, whole: float) -> str:
    """`12 of 200 (6 %)`."""
    if not whole:
        return number(part, 0)
    return f"{number(part, 0)} of {number(whole, 0)} ({100 * part / whole:.3g}{TIGHT}%)"


def usd(value: float) -> str:
    """A price: cents where they tell something."""
    return f"{number(value, 2)}{TIGHT}USD"
