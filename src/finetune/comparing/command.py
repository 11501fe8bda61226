"""`finetune compare A [B …]`: are the others better than A?"""

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
    """Print the comparison in a `style` (`simple`, `github` or `json`); the exit code.

    Raises:
        UserError: a revision is not there or cannot be compared with the first.
    """
    bootstrap = params.read(root / "params.yaml").bootstrap
    if len(names) == 1:
        names = [*names, runs.WORKSPACE]
    found = [runs.read(root, name) for name in _distinct(names)]
    if over is not None:
        return _spread(found, over, bootstrap.confidence, style)
    reference, *others = found
    compared = verdicts.compare(reference, others, bootstrap)
    if style == "json":
        print(json.dumps(tables.as_json(reference, others, compared), indent=2, default=str))
    else:
        print(tables.comparisons(reference, others, compared, bootstrap.confidence, style))
    is_worse = any(each.verdict == "worse" for rows in compared for each in rows)
    # A task that is gone cannot be seen to be no worse.
    is_gone = any(verdicts.lacking(reference, other) for other in others)
    return int(fail_if_worse and (is_worse or is_gone))


def _distinct(names: Sequence[str]) -> list[str]:
    """The first, and the others without repetitions; one may be the first again."""
    first, *others = names
    return [first, *dict.fromkeys(others)]


def _spread(found: Sequence[runs.Run], over: str, confidence: float, style: str) -> int:
    for other in found[1:]:
        verdicts.check_comparable(found[0], other)
    key = seeds.parameter(found, over)
    spreads = seeds.spreads(seeds.configurations(found, key))
    differences = seeds.differences(spreads, confidence)
    if style == "json":
        print(json.dumps(tables.spread_as_json(key, spreads, differences), indent=2, default=str))
    else:
        print(tables.spread(key, spreads, differences, confidence, style))
    return 0
