"""`finetune compare A [B …]`: compare the other revisions with A."""

import json
from collections.abc import Sequence
from pathlib import Path

from finetune.comparing import runs, seeds, tables, verdicts
from finetune.core import params


def run(
    root: Path,
    names: Sequence[str],
    style: str,
    over: str | None = None,
    fail_if_worse: bool = False,
) -> int:
    """Print the comparison in a `style` (`simple`, `github` or `json`); returns the exit code.

    Raises:
        UserError: a revision does not exist or cannot be compared with the first.
    """
    bootstrap = params.read(root / "params.yaml").bootstrap
    if len(names) == 1:
        names = [*names, runs.WORKSPACE]
    compared_runs = [runs.read(root, name) for name in _distinct(names)]
    if over is not None:
        return _spread(compared_runs, over, bootstrap.confidence, style)
    reference, *others = compared_runs
    comparisons = verdicts.compare(reference, others, bootstrap)
    if style == "json":
        print(json.dumps(tables.as_json(reference, others, comparisons), indent=2, default=str))
    else:
        print(tables.comparisons(reference, others, comparisons, bootstrap.confidence, style))
    is_worse = any(each.verdict == "worse" for rows in comparisons for each in rows)
    # Of a task that is missing nothing shows that it is not worse.
    is_missing = any(verdicts.lacking(reference, other) for other in others)
    return int(fail_if_worse and (is_worse or is_missing))


def _distinct(names: Sequence[str]) -> list[str]:
    """The first name, and the others without duplicates; one of them may equal the first."""
    first, *others = names
    return [first, *dict.fromkeys(others)]


def _spread(compared_runs: Sequence[runs.Run], over: str, confidence: float, style: str) -> int:
    for other in compared_runs[1:]:
        verdicts.check_comparable(compared_runs[0], other)
    key = seeds.parameter(compared_runs, over)
    spreads = seeds.spreads(seeds.configurations(compared_runs, key))
    differences = seeds.differences(spreads, confidence)
    if style == "json":
        print(json.dumps(tables.spread_as_json(key, spreads, differences), indent=2, default=str))
    else:
        print(tables.spread(key, spreads, differences, confidence, style))
    return 0
