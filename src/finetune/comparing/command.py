"""`finetune compare A [B …]`: compare the other revisions with A."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.comparing import configurations, looks, runs, tables, verdicts
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Run, Split
from finetune.core import params, paths

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to compare: `style` is `simple`, `github` or `json`; `over` a parameter to take as noise.

    `named_only` leaves out further seeds among the experiments.
    """

    style: str = "simple"
    over: str | None = None
    split: Split = "test"
    fail_if_worse: bool = False
    named_only: bool = False
    by_cluster: bool = False


def run(root: Path, names: Sequence[str], options: Options) -> int:
    """Print the comparison; returns the exit code.

    Raises:
        UserError: a revision does not exist or cannot be compared with the first.
    """
    bootstrap = params.read(root / "params.yaml").bootstrap
    if len(names) == 1:
        names = [*names, runs.WORKSPACE]
    named = [runs.read(root, name, options.split) for name in dict.fromkeys(names)]
    patterns = configurations.noise(named, options.over)
    reference, *others = found(root, named, patterns, options.split, options.named_only)
    if not others:
        _print_spread(reference, patterns, options.style)
        return 0
    ledger = looks.read(root)
    measured = verdicts.compare(reference, others, bootstrap, options.by_cluster)
    now = looks.looks(reference, others, measured)
    earlier = looks.others(ledger, now) if options.split == "test" else []
    compared = verdicts.judge(measured, bootstrap, earlier)
    count = len(now) + len(earlier)
    if options.style == "json":
        printed = tables.as_json(reference, others, compared, patterns, count)
        print(json.dumps(printed, indent=2, default=str))
    else:
        print(tables.comparisons(reference, others, compared, patterns, count, options.style))
    if options.split == "test":
        note_looks(root, ledger, now)
    is_worse = any(each.verdict == "worse" for rows in compared for each in rows)
    # Of a task that is missing nothing shows that it is not worse.
    is_missing = any(verdicts.lacking(reference.first, other.first) for other in others)
    return int(options.fail_if_worse and (is_worse or is_missing))


def found(
    root: Path, named: Sequence[Run], patterns: Sequence[str], split: Split, named_only: bool
) -> list[Configuration]:
    """The configurations of the named runs, with further seeds of them among the experiments."""
    everything = list(named)
    if not named_only:
        everything, problems = configurations.with_further_seeds(root, named, patterns, split)
        for problem in problems:
            log.warning(f"left out: {problem}")
    return configurations.grouped(everything, patterns)


def note_looks(root: Path, ledger: Sequence[looks.Look], now: Sequence[looks.Look]) -> None:
    """Write looks at test rows to the ledger, and say so."""
    new = looks.record(root, ledger, now)
    if new:
        log.warning(
            f"{paths.looks()}: {new} look{'' if new == 1 else 's'} at test rows written down; "
            "commit it"
        )


def _print_spread(configuration: Configuration, patterns: Sequence[str], style: str) -> None:
    if style == "json":
        print(json.dumps(tables.spread_as_json(configuration), indent=2, default=str))
    else:
        print(tables.spread(configuration, patterns, style))
