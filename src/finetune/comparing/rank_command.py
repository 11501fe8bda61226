"""`finetune rank [EXPERIMENTS…]`: choose among experiments by their validation scores."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.comparing import command, configurations, looks, ranking, runs, tables, verdicts
from finetune.comparing.configurations import SEEDS, Configuration, matches
from finetune.comparing.experiments import experiments
from finetune.comparing.ranking import Entry
from finetune.comparing.runs import Run
from finetune.composition import shown
from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.schema import Bootstrap

log = logging.getLogger(__name__)
HEAD = "HEAD"


@dataclass(frozen=True, kw_only=True)
class Options:
    """`reveal` looks at test rows for the best and for HEAD, and writes that down."""

    style: str = "simple"
    task: str | None = None
    reveal: bool = False


def run(root: Path, names: Sequence[str], options: Options) -> int:
    """Print a ranking for each task; returns the exit code.

    Raises:
        UserError: a named experiment cannot be read, or no two runs can be compared.
    """
    settings = params.read(root / "params.yaml")
    head = runs.read(root, HEAD, "validation")
    everything = [head, *_read(root, names)] if names else [head, *_all(root)]
    comparable = [head, *_comparable(head, everything[1:], is_strict=bool(names))]
    grouped = configurations.grouped(comparable, SEEDS)
    tasks = [options.task] if options.task else list(head.kinds)
    if options.task and options.task not in head.kinds:
        raise UserError(f"--task {options.task}: HEAD has {', '.join(head.kinds)}")
    ranked = {task: ranking.rank(grouped, task, settings.bootstrap) for task in tasks}
    usd = settings.run.usd_per_hour
    if options.style == "json":
        print(json.dumps({task: as_json(of) for task, of in ranked.items()}, indent=2, default=str))
    else:
        print("\n\n".join(table(task, of, usd, options.style) for task, of in ranked.items()))
        print(f"\n{NOTE}")
    if options.reveal:
        for task, entries in ranked.items():
            _reveal(root, task, entries[0].configuration, settings.bootstrap, options.style)
    return 0


NOTE = (
    "Scores of validation rows, by which to choose. A tie cannot be told apart from the best "
    "(Holm-adjusted, over rows and seeds); the best of many is too good by chance, so look at its "
    "test score once: --reveal. Efficient: no other is better for less time and size."
)


def _read(root: Path, names: Sequence[str]) -> list[Run]:
    return [runs.read(root, name, "validation") for name in dict.fromkeys(names) if name != HEAD]


def _all(root: Path) -> list[Run]:
    """All experiments whose validation rows can be read; the others are named."""
    found = []
    for each in experiments(root):
        try:
            found.append(runs.read(root, each.name, "validation", each.commit))
        except UserError as error:
            log.warning(f"left out: {error}")
    return found


def _comparable(head: Run, others: Sequence[Run], is_strict: bool) -> list[Run]:
    kept = []
    for other in others:
        try:
            if missing := verdicts.lacking(head, other):
                raise UserError(f"{other.name}: lacks {', '.join(missing)}, which HEAD has")
            verdicts.check_comparable(head, other)
            kept.append(other)
        except UserError as error:
            if is_strict:
                raise
            log.warning(f"left out: {error}")
    return kept


def table(task: str, entries: Sequence[Entry], usd_per_hour: float | None, style: str) -> str:
    """A row for each configuration, the best first."""
    metric = entries[0].metric
    decimals = max(2, metric.decimals)
    keys = _differing([each.configuration for each in entries], task)
    money = ["USD"] if usd_per_hour is not None else []
    headers = ["", "runs", "seeds", *keys, f"{metric.key} [interval]", "p (Holm)", "min", *money]
    rows = []
    for place, each in enumerate(entries, 1):
        score = f"no answer in {100 * each.no_answer:.3g} %"
        if each.score:
            low, mean, high = (
                f"{value:.{decimals}f}"
                for value in (each.score.low, each.score.mean, each.score.high)
            )
            score = f"{mean} [{low}, {high}]"
            if each.no_answer:
                score += f"; no answer in {100 * each.no_answer:.3g} %"
        mark = "best" if each.is_best else "tie" if each.is_tied else ""
        minutes = each.cost.minutes
        spent = (
            [] if usd_per_hour is None else [_rounded(minutes and minutes / 60 * usd_per_hour, 2)]
        )
        rows.append(
            [
                place,
                each.configuration.name,
                len(each.configuration.runs_of(task)),
                *(shown(each.configuration.first.params.get(key)) for key in keys),
                score,
                "" if each.is_best or not each.score else f"{each.p:.3f}",
                _rounded(minutes, 2),
                *spent,
                _rounded(each.cost.tokens_per_second, 0),
                "" if each.cost.parameters is None else f"{each.cost.parameters:,}",
                " ".join(filter(None, [mark, "efficient" if each.is_efficient else ""])),
            ]
        )
    headers += ["tokens/s", "parameters", ""]
    title = f"{task}: {metric.title} on {_rows(entries)} validation rows, {metric.direction}"
    heading = "## " if style == "github" else ""
    body = tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)
    return f"{heading}{title}\n\n{body}"


def _rows(entries: Sequence[Entry]) -> int:
    first = entries[0].configuration.first
    return len(next(iter(first.predictions.values())))


def _rounded(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _differing(compared: Sequence[Configuration], task: str) -> list[str]:
    """The parameters of a task in which configurations differ, each once.

    `train.*` stands in every task's own section; it is shown where the tasks agree.
    """
    keys = dict.fromkeys(key for each in compared for key in each.first.params)
    differing = [
        key
        for key in keys
        if not matches(key, SEEDS)
        and len({repr(each.first.params.get(key)) for each in compared}) > 1
        and (not key.startswith("tasks.") or key.startswith(f"tasks.{task}."))
    ]
    return [
        key
        for key in differing
        if not (key.startswith("train.") and f"tasks.{task}.{key}" in differing)
    ]


def as_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The same as `table`, as JSON."""
    return [
        {
            "runs": [run.name for run in each.configuration.runs],
            "score": each.metric.key,
            "validation": each.score.rounded() if each.score else None,
            "no_answer": each.no_answer,
            "p_adjusted": each.p,
            "is_best": each.is_best,
            "is_tied": each.is_tied,
            "is_efficient": each.is_efficient,
            "minutes": each.cost.minutes,
            "tokens_per_second": each.cost.tokens_per_second,
            "parameters": each.cost.parameters,
        }
        for each in entries
    ]


def _reveal(root: Path, task: str, best: Configuration, options: Bootstrap, style: str) -> None:
    """Look at the best configuration's test rows, held against HEAD's, and write that down."""
    names = dict.fromkeys([HEAD, *(run.name for run in best.runs)])
    tested = [runs.read(root, name) for name in names]
    reference, *others = configurations.grouped(tested, SEEDS)
    if not others:
        print(f"\n{task}: the best is HEAD's own configuration; its test scores are those of main.")
        return
    ledger = looks.read(root)
    measured = [
        [each for each in rows if each.task == task]
        for rows in verdicts.compare(reference, others, options)
    ]
    now = looks.looks(reference, others, measured)
    earlier = looks.others(ledger, now)
    judged = verdicts.judge(measured, options, earlier)
    print(f"\n{task}, revealed:\n")
    print(tables.comparisons(reference, others, judged, SEEDS, len(now) + len(earlier), style))
    command.note_looks(root, ledger, now)
