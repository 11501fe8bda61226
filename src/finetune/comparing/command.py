"""`finetune compare A [B …]`: compare the other revisions with A."""

import itertools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune import ledger
from finetune.comparing import (
    configurations,
    data_changes,
    looks,
    recording,
    runs,
    tables,
    verdicts,
)
from finetune.comparing.configurations import Configuration
from finetune.comparing.runs import Run, Split
from finetune.comparing.verdicts import Comparison
from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.ledger import Look
from finetune.shelf import reading

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to compare: `style` is `simple`, `github` or `json`; `over` a parameter to take as noise.

    `named_only` leaves out further seeds among the experiments; `record` writes the others into
    `metrics/TASK/forms.json`, too.
    """

    style: str = "simple"
    over: str | None = None
    split: Split = "test"
    fail_if_worse: bool = False
    named_only: bool = False
    by_cluster: bool = False
    record: bool = False


def run(root: Path, names: Sequence[str], options: Options) -> int:
    """Print the comparison; returns the exit code.

    Raises:
        UserError: a revision does not exist or cannot be compared with the first.
    """
    if options.record and options.split != "test":
        raise UserError("--record: what is recorded is of test rows; leave out --validation")
    bootstrap = params.read(root / "params.yaml").bootstrap
    names = reading.without_readme(names)
    if len(names) == 1:
        names = [*names, runs.WORKSPACE]
    named = [runs.read(root, name, options.split) for name in dict.fromkeys(names)]
    patterns = configurations.noise(named, options.over)
    reference, *others = with_seeds(root, named, patterns, options.split, options.named_only)
    book = ledger.read(root) if options.split == "test" else []
    if not others and options.record:
        raise UserError(
            f"--record: all that was named are runs of {reference.name}'s own configuration; name "
            "a run of another form of its model"
        )
    if not others:
        if options.split == "test" and len(reference.runs) > 1:
            note_looks(root, looks.of_configuration(reference))
        _print_spread(reference, options.style)
        return 0
    data = [data_changes.between(reference.first, other.first) for other in others]
    said = [
        data_changes.lines(reference.first, other.first, each)
        for other, each in zip(others, data, strict=True)
    ]
    try:
        measured = verdicts.compare(reference, others, bootstrap, options.by_cluster)
    except UserError as error:  # such as other rows of test: the data say why
        raise UserError(" ".join([str(error), *itertools.chain(*said)])) from None
    now = looks.of_comparisons(reference, others, measured, options.by_cluster)
    earlier = looks.others(book, now) if options.split == "test" else []
    compared = verdicts.judge(measured, bootstrap, earlier)
    count = len(now) + len(earlier)
    if options.record:  # first, as it may refuse, and then nothing was looked at
        for file, forms in recording.record(root, reference, others).items():
            log.warning(f"{file}: {', '.join(forms)} written; commit it")
    if options.split == "test":
        # Before anything is shown: whoever leaves early (`| head`) has looked.
        note_looks(root, now)
    if options.style == "json":
        printed = tables.as_json(reference, others, compared, count)
        for comparison, each in zip(printed["comparisons"], data, strict=True):
            comparison["data_alone"] = data_changes.as_json(each)
        print(json.dumps(printed, indent=2, default=str))
    else:
        print(tables.comparisons(reference, others, compared, count, options.style, options.split))
        for line in itertools.chain(*said):
            print(f"\n{line}" if not line.startswith(" ") else line)
    is_worse = any(_is_worse(each) for rows in compared for each in rows)
    # Of a task that is missing, or is not compared by its primary score, nothing shows that it is
    # not worse.
    tasks = set(reference.first.kinds)
    is_missing = any(tasks - {e.task for e in rows if e.is_primary} for rows in compared)
    return int(options.fail_if_worse and (is_worse or is_missing))


def _is_worse(compared: Comparison) -> bool:
    """Whether a primary score is worse, or there is none since the model stopped answering."""
    if compared.is_silent:
        return compared.is_primary and compared.unanswered[1] > compared.unanswered[0]
    return compared.is_primary and compared.verdict == "worse"


def with_seeds(
    root: Path, named: Sequence[Run], patterns: tuple[str, ...], split: Split, named_only: bool
) -> list[Configuration]:
    """The configurations of the named runs, with further seeds of them among the experiments."""
    everything = list(named)
    if not named_only:
        everything, problems = configurations.with_further_seeds(root, named, patterns, split)
        for problem in problems:
            log.warning(f"left out: {problem}")
    return configurations.grouped(everything, patterns)


def note_looks(root: Path, now: Sequence[Look]) -> None:
    """Write looks at test rows to the ledger, and say so."""
    new = looks.record(root, now)
    if new:
        log.warning(
            f"{paths.looks()}: {new} look{'' if new == 1 else 's'} at test rows written down; "
            "`dvc repro` puts it into the report, then commit both"
        )


def _print_spread(configuration: Configuration, style: str) -> None:
    if style == "json":
        print(json.dumps(tables.spread_as_json(configuration), indent=2, default=str))
    else:
        print(tables.spread(configuration, style))
