"""`finetune rank [EXPERIMENTS…]`: choose among experiments by their validation scores."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune import ledger
from finetune.comparing import (
    command,
    comparability,
    configurations,
    looks,
    rank_tables,
    ranking,
    runs,
    tables,
    verdicts,
)
from finetune.comparing.configurations import SEEDS, Configuration
from finetune.comparing.experiments import experiments
from finetune.comparing.ranking import Entry
from finetune.comparing.runs import Run
from finetune.comparing.verdicts import Comparison
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap, Params
from finetune.shelf import reading

log = logging.getLogger(__name__)
HEAD = "HEAD"
REVEAL, REVEAL_SHELVED = "--reveal", "`finetune compare results/A results/B`"
NO_REVEAL = "look with `finetune compare A B`"


@dataclass(frozen=True, kw_only=True)
class Options:
    """`reveal` looks at test rows for the best and for HEAD, and writes that down.

    `shelf` ranks all shelved runs, beside those that are named.
    """

    style: str = "simple"
    task: str | None = None
    reveal: bool = False
    shelf: bool = False


def run(root: Path, names: Sequence[str], options: Options) -> int:
    """Print a ranking for each task; returns the exit code.

    Raises:
        UserError: a named experiment cannot be read, or no two runs can be compared.
    """
    settings = params.read(root / "params.yaml")
    if options.shelf:
        names = [*names, *reading.names(root)]
        if not names:
            raise UserError(
                "--shelf: nothing is shelved yet; `finetune shelve NAME` puts a run there"
            )
    names = reading.without_readme(names)
    if any(reading.folder_of(root, name) for name in names):
        return _rank_shelved(root, names, settings, options)
    head = runs.read(root, HEAD, "validation")
    candidates = _read(root, names) if names else _all(root)
    _check_task(options, [head, *candidates])
    tasks = [task for task in head.kinds if options.task in (None, task)]
    comparable, others = _by_comparability(head, candidates, tasks)
    everything, problems = configurations.with_further_seeds(
        root, [head, *comparable, *others], SEEDS, "validation"
    )
    for problem in problems if names else []:
        log.warning(f"left out: {problem}")
    comparable, others = _by_comparability(head, everything[1:], tasks, is_quiet=True)
    grouped = configurations.grouped([head, *comparable], SEEDS)
    ranked = {task: ranking.rank(grouped, task, settings.bootstrap) for task in tasks}
    apart = _ranked_apart(others, settings.bootstrap, options)
    if not (tasks or apart):
        raise UserError("none of these runs can be ranked")
    if options.reveal and not tasks:
        raise UserError(f"--reveal: HEAD has no {options.task}; {NO_REVEAL}")
    if options.reveal and names and not comparable:
        raise UserError(f"--reveal: none of these can be held against HEAD; {NO_REVEAL}")
    revealed = _reveal(root, ranked, settings.bootstrap) if options.reveal else None
    if options.style == "json":
        printed: dict[str, Any] = {task: rank_tables.as_json(of) for task, of in ranked.items()}
        if apart:
            printed["without_head"] = _by_task(apart)
        if revealed:
            printed["revealed"] = tables.as_json(*revealed)
        print(json.dumps(printed, indent=2, default=str))
        return 0
    listed = [*ranked.items(), *apart]
    usd = settings.run.usd_per_hour
    print("\n\n".join(rank_tables.table(task, of, usd, options.style) for task, of in listed))
    beside = grouped if tasks else []
    reveal = REVEAL if tasks else "`finetune compare A B`"
    print(f"\n{_note([*beside, *_configurations(apart)], reveal)}")
    if apart:
        print(
            "A table without HEAD is of runs whose tasks, rows or rules are others; of these look "
            "at test rows with `finetune compare A B`."
        )
    if revealed:
        print(f"\nRevealed: test rows.\n\n{tables.comparisons(*revealed, options.style)}")
    elif options.reveal:
        print("\nThe best are HEAD's own runs: their test scores are those of main.")
    return 0


def _check_task(options: Options, compared: Sequence[Run]) -> None:
    tasks = list(dict.fromkeys(task for run in compared for task in run.kinds))
    if options.task and options.task not in tasks:
        raise UserError(f"--task {options.task}: these runs have {', '.join(tasks)}")


def _rank_shelved(root: Path, names: Sequence[str], settings: Params, options: Options) -> int:
    """Rank runs of which some are shelved: a table for each task and for each set of rows.

    Their data need not be that of HEAD, so HEAD takes part only where it is named.
    """
    if options.reveal:
        raise UserError(
            "--reveal: holds the best against HEAD, whose rows shelved runs need not have; "
            f"{NO_REVEAL}"
        )
    named = [runs.read(root, name, "validation") for name in dict.fromkeys(names)]
    _check_task(options, named)
    entries = _ranked_apart(named, settings.bootstrap, options)
    if not entries:
        raise UserError("none of these runs can be ranked")
    if options.style == "json":
        print(json.dumps(_by_task(entries), indent=2, default=str))
        return 0
    usd = settings.run.usd_per_hour
    print("\n\n".join(rank_tables.table(task, of, usd, options.style) for task, of in entries))
    print(f"\n{_note(_configurations(entries), REVEAL_SHELVED)}")
    if len(entries) > len({task for task, _ in entries}):
        print("Runs of one task in several tables were asked other rows, or are scored otherwise.")
    return 0


def _ranked_apart(
    compared: Sequence[Run], bootstrap: Bootstrap, options: Options
) -> list[tuple[str, list[Entry]]]:
    """A ranking for each task, and for each set of its rows and rules, each task by itself."""
    tasks = dict.fromkeys(task for run in compared for task in run.kinds)
    entries = []
    for task in tasks:
        if options.task not in (None, task):
            continue
        scored = [run for run in compared if task in run.kinds and _has_score(run, task)]
        for group in ranking.groups(scored, task):
            alone = configurations.grouped([ranking.of_task(run, task) for run in group], SEEDS)
            try:
                entries.append((task, ranking.rank(alone, task, bootstrap)))
            except UserError as error:  # too few rows for its score: the others are ranked
                log.warning(f"left out: {', '.join(run.name for run in group)}: {error}")
    return entries


def _has_score(run: Run, task: str) -> bool:
    """Whether a run has its primary score, as one of another version may not; if not, say so."""
    try:
        metric = ranking.primary(run, task)
    except UserError as error:
        log.warning(f"left out: {run.name}: {error}")
        return False
    if not metric.is_of(run.predictions[task]):
        log.warning(f"left out: {run.name}: {task} has no {metric.key}")
        return False
    return True


def _by_task(entries: Sequence[tuple[str, list[Entry]]]) -> dict[str, list[Any]]:
    printed: dict[str, list[Any]] = {}
    for task, of in entries:
        printed.setdefault(task, []).append(rank_tables.as_json(of))
    return printed


def _configurations(entries: Sequence[tuple[str, list[Entry]]]) -> list[Configuration]:
    return [each.configuration for _, of in entries for each in of]


def _note(compared: Sequence[Configuration], reveal: str = REVEAL) -> str:
    """What the table does not say by itself."""
    singles = [each.name for each in compared if len(each.runs) == 1]
    note = (
        "Scores of validation rows, by which to choose. A tie cannot be told apart from the best, "
        "with p-values adjusted for all pairs (Westfall-Young); the best of many is too good by "
        "chance, so look at its test score once: "
        f"{reveal}. Efficient: no other is better for less time and size."
    )
    if singles:
        note += (
            f" Of {len(singles)} of {len(compared)} there is one run: between these, what is no "
            "tie is a difference of two runs, and another seed may turn it. `finetune seeds "
            f"{singles[0]} --n 5` queues more."
        )
    return note


def _read(root: Path, names: Sequence[str]) -> list[Run]:
    return [runs.read(root, name, "validation") for name in dict.fromkeys(names) if name != HEAD]


def _all(root: Path) -> list[Run]:
    """All experiments whose validation rows can be read; the others are named."""
    readable = []
    for each in experiments(root):
        try:
            readable.append(runs.read(root, each.name, "validation", each.commit))
        except UserError as error:
            log.warning(f"left out: {error}")
    return readable


def _by_comparability(
    head: Run, others: Sequence[Run], tasks: Sequence[str], is_quiet: bool = False
) -> tuple[list[Run], list[Run]]:
    """Those that can be held against HEAD on these tasks, and the others, which are named."""
    kept, apart = [], []
    for other in others:
        try:
            _check(head, other, tasks)
            kept.append(other)
        except UserError as error:
            apart.append(other)
            if not is_quiet:
                log.warning(f"ranked without HEAD: {error}")
    return kept, apart


def _check(head: Run, other: Run, tasks: Sequence[str]) -> None:
    """Check that two runs have these tasks, one at least, with the same rows and primary scores.

    Raises:
        UserError: they have not.
    """
    if missing := [task for task in comparability.lacking(head, other) if task in tasks]:
        raise UserError(f"{other.name}: lacks {', '.join(missing)}, which HEAD has")
    if not tasks:
        raise UserError(f"{other.name}: has tasks that HEAD lacks")
    comparability.check_comparable(head, other)
    for task in tasks:
        metric = ranking.primary(head, task)
        if not metric.compares(head.predictions[task], other.predictions[task]):
            raise UserError(f"{other.name}: {task} has another {metric.key} than HEAD, or none")


def _reveal(
    root: Path, ranked: Mapping[str, Sequence[Entry]], options: Bootstrap
) -> tuple[Configuration, list[Configuration], list[list[Comparison]], int] | None:
    """Look at the test rows of the best of each task, held against HEAD's, and write that down.

    All tasks are judged at once. None where HEAD's configuration is the best on all.
    """
    entries = [each for of_task in ranked.values() for each in of_task]
    head = next(each.configuration for each in entries if each.configuration.name == HEAD)
    best = {
        task: of_task[0].configuration
        for task, of_task in ranked.items()
        if of_task[0].is_best and of_task[0].configuration is not head
    }
    if not best:
        return None
    main = _tested(root, head)
    chosen = list({id(each): each for each in best.values()}.values())
    others = [_tested(root, each) for each in chosen]
    measured = [
        [each for each in rows if best.get(each.task) is configuration]
        for configuration, rows in zip(chosen, verdicts.compare(main, others, options), strict=True)
    ]
    book = ledger.read(root)
    now = looks.of_comparisons(main, others, measured)
    earlier = looks.others(book, now)
    judged = verdicts.judge(measured, options, earlier)
    command.note_looks(root, now)
    return main, others, judged, len(now) + len(earlier)


def _tested(root: Path, configuration: Configuration) -> Configuration:
    """The same runs with their test rows."""
    tested = [runs.read(root, run.name, "test", run.revision) for run in configuration.runs]
    return Configuration(tuple(tested), configuration.noise)
