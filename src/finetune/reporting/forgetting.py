"""Did it forget? How likely general text is to the tuned model, against the base, in words."""

from typing import Any

from finetune.reporting.parts import Table, difference
from finetune.reporting.tables import Metrics
from finetune.scoring import numbers
from finetune.scoring.forgetting import ALL, PARTS
from finetune.scoring.metrics import Metric

BITS = Metric(
    key="bits_per_byte",
    columns=(),
    title="bits per byte",
    unit="bits per byte",
    higher_is_better=False,
)
NAMES = {"page": "a page of general text", "exercises": "fifty small exercises", ALL: "both"}
# It holds of every base model: bytes of which nothing is known are one of 256.
SCALE = (
    "Of text of which nothing is known a byte takes 8 bits; a base model that needs nearly as many "
    "knows little of it that tuning could make it forget."
)


def notes(tuned: Metrics) -> list[str]:
    """What became of the likelihood of both parts, in sentences; none before it was measured."""
    of = tuned.get("forgetting")
    if not of:
        return []
    return [
        " ".join([*(_sentence(NAMES[part], of[part]) for part in PARTS), SCALE, *_truncated(of)])
    ]


def table(tuned: Metrics) -> Table | None:
    """Bits per byte under both models, and their paired difference."""
    of = tuned.get("forgetting")
    if not of:
        return None
    rows = [
        [
            NAMES[part],
            BITS.number(of[part]["base"]),
            BITS.number(of[part]["tuned"]),
            difference(of[part]["difference"], BITS),
        ]
        for part in (*PARTS, ALL)
    ]
    return Table(["bits per byte", "base model", "tuned", "tuned − base, paired"], rows)


def _sentence(name: str, of: dict[str, Any]) -> str:
    mean, low, high = (of["difference"][end] for end in ("mean", "low", "high"))
    change = difference(of["difference"], BITS)
    went = f"from {BITS.number(of['base'])} to {BITS.amount(of['tuned'])}, {change}"
    if low > 0:
        less = 100 * (1 - 2**-mean)
        return (
            f"To the tuned model {name} became less likely ({went}): on average (geometric mean) "
            f"a byte of it is {less:.3g}{numbers.TIGHT}% less likely than to the base model."
        )
    if high < 0:
        more = numbers.number(2**-mean, 2)
        return (
            f"To the tuned model {name} became likelier ({went}): on average (geometric mean) a "
            f"byte of it is {more} times as likely as to the base model."
        )
    return (
        f"Of {name} there is no significant difference in likelihood ({went}; the interval "
        "includes zero)."
    )


def _truncated(of: Metrics) -> list[str]:
    if not of["truncated"]:
        return []
    counted = numbers.share(of["truncated"], of["n"])
    return [f"Truncated to the model's context: {counted} texts."]
