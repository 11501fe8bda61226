"""Numbers as a person reads them."""

import math

MINUS = "−"
# Not to be broken between lines: a number and its unit, the two ends of an interval.
TIGHT = "\u00a0"
LIST = f",{TIGHT}"


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
