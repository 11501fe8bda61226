"""The ledger of comparisons that read test rows, as the report shows it."""

from collections.abc import Sequence

from finetune.ledger import Look, Side
from finetune.reporting.parts import Table
from finetune.scoring import multiple, numbers


def sentence(looks: Sequence[Look]) -> str:
    """How often test rows were looked at, and what that means."""
    if not looks:
        return (
            "No comparison of configurations has read test rows yet, beyond the scores on this "
            "page: experiments are chosen by validation rows (finetune rank)."
        )
    times = "once" if len(looks) == 1 else f"{len(looks)} times"
    return (
        f"Test rows were looked at {times} to compare configurations (metrics/looks.json). Whoever "
        "looks often finds a difference by chance, so verdicts of finetune compare and finetune "
        "ship are Holm-adjusted over all looks at the same rows up to then. What holds in the end "
        "is what is still significant here, adjusted over the looks since then as well."
    )


def table(looks: Sequence[Look]) -> Table:
    """A row for each look, in their order."""
    rows = [
        [
            f"{_names(look.before)} → {_names(look.after)}" if look.after else _names(look.before),
            look.task,
            look.score,
            "" if look.difference is None else numbers.signed(look.difference, 2),
            "" if look.p is None else f"{look.p:.2g}",
            "" if p is None else f"{p:.2g}",
        ]
        for look, p in zip(looks, adjusted(looks), strict=True)
    ]
    headers = ["compared", "task", "score", "difference", "p (unadjusted)", "p (Holm, all looks)"]
    return Table(headers, rows)


def adjusted(looks: Sequence[Look]) -> list[float | None]:
    """Their p-values, Holm-adjusted over all looks, later ones and other tasks' too.

    A verdict could count only the looks before it: twenty of them in turn err more often than one
    call that compares all twenty.
    """
    p_values = iter(multiple.holm([look.p for look in looks if look.p is not None]))
    return [None if look.p is None else next(p_values) for look in looks]


def _names(side: Side) -> str:
    first, *seeds = side.runs
    return f"{first} ({1 + len(seeds)} seeds)" if seeds else first
