"""`finetune monitor`: has what a model is asked, or what it answers, drifted?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune.core import params
from finetune.core.errors import UserError
from finetune.core.schema import Params
from finetune.monitoring import canaries, drift, reading, reference
from finetune.monitoring.drift import Comparison, Distributions
from finetune.monitoring.reading import Log, Requests
from finetune.monitoring.reference import Reference
from finetune.scoring import numbers

# Of fewer requests nothing is said: only the coarsest drift would show.
LEAST = 20
# Test rows of a task that a server is asked, unless --canaries says how many.
CANARIES = 8


@dataclass(frozen=True)
class Options:
    """The command line; `model` is the name of the served model, None for that of each task.

    canaries: rows of a task to ask of `url`, None for the default.
    """

    log: Path
    tasks: Sequence[str]
    model: str | None
    since: str | None
    url: str | None
    canaries: int | None
    style: str


@dataclass(frozen=True)
class Canaries:
    """Test rows that were asked again: how many, and those that were answered otherwise."""

    asked: int
    differing: Sequence[str]


@dataclass(frozen=True)
class Finding:
    """What is known of a task; without comparisons there were too few requests."""

    task: str
    requests: Requests
    comparisons: Sequence[Comparison]
    canaries: Canaries | None


def run(root: Path, options: Options) -> int:
    """Print what was compared; 1 if something drifted, or a canary was answered otherwise.

    Raises:
        UserError: an option, the log or what it is compared with cannot be used.
    """
    _check(options)
    settings = params.read(root / "params.yaml")
    log = reading.read(options.log, options.since)
    findings = _findings(root, settings, log, options)
    alpha = 1 - settings.bootstrap.confidence
    print(_json(log, findings, alpha) if options.style == "json" else "\n".join(
        _lines(options, log, findings, alpha)
    ))  # fmt: skip
    return int(any(_is_bad(finding, alpha) for finding in findings))


def _check(options: Options) -> None:
    if options.canaries is None:
        return
    if options.url is None:
        raise UserError("--canaries: needs --url URL, the running server that is asked the rows")
    if options.canaries < 1:
        raise UserError(f"--canaries: is {options.canaries}, must be at least 1")


def _is_bad(of: Finding, alpha: float) -> bool:
    has_drifted = any(each.adjusted < alpha for each in of.comparisons)
    return has_drifted or bool(of.canaries and of.canaries.differing)


def _findings(root: Path, settings: Params, log: Log, options: Options) -> list[Finding]:
    """What is known of each task, adjusted over all of them.

    Raises:
        UserError: a task is unknown, or the log has none that is known.
    """
    logged = dict.fromkeys(entry["task"] for entry in log.entries)
    tasks = list(dict.fromkeys(options.tasks)) or [t for t in settings.tasks if t in logged]
    for task in tasks:
        if task not in settings.tasks:
            raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    if not tasks:
        since = f" since {options.since}" if options.since else ""
        raise UserError(
            f"{options.log}: holds no request to {' or '.join(settings.tasks)}{since} "
            f"({log.broken} broken lines); `finetune serve --log FILE` writes them"
        )
    of_tasks = {task: reference.read(root, settings, task) for task in tasks}
    requests = {task: reading.of_task(log.entries, task, options.model or task) for task in tasks}
    given = {
        task: reference.given(requests[task], of_tasks[task])
        if len(requests[task].answered) + len(requests[task].refused) >= LEAST
        else []
        for task in tasks
    }
    seed = settings.bootstrap.seed
    compared = drift.compare([each for of_task in given.values() for each in of_task], seed)
    return [
        Finding(
            task,
            requests[task],
            [each for each in compared if any(each.of is one for one in given[task])],
            _canaries(settings, task, of_tasks[task], options),
        )
        for task in tasks
    ]


def _canaries(settings: Params, task: str, of_task: Reference, options: Options) -> Canaries | None:
    if options.url is None:
        return None
    differing, asked = canaries.differing(
        options.url, options.model or task, settings.tasks[task], of_task,
        CANARIES if options.canaries is None else options.canaries, settings.bootstrap.seed,
    )  # fmt: skip
    return Canaries(asked, differing)


def _lines(options: Options, log: Log, findings: Sequence[Finding], alpha: float) -> list[str]:
    counts = {
        "broken lines": log.broken,
        "lines lost by the server": log.lost,
        **({"earlier requests": log.earlier} if options.since else {}),
        "canaries and measured rows": log.checks,
    }
    counted = "; ".join(f"{what}: {count}" for what, count in counts.items())
    lines = [f"{options.log}: {len(log.entries)} requests; {counted}"]
    for of in findings:
        requests = of.requests
        lines += [
            f"\n{of.task}: {len(requests.answered)} answered, {len(requests.refused)} refused, "
            f"{requests.unanswered} not answered; not compared: {requests.raw} continued prompts, "
            f"{requests.others} of other models"
        ]
        if of.comparisons:
            lines += ["", _table(of.comparisons, alpha, options.style), ""]
            lines += [_sentence(of, alpha)]
        else:
            lines.append(f"too few requests to compare: it takes {LEAST}")
        if of.canaries:
            lines.append(_of_canaries(of.canaries))
    return lines


def _table(comparisons: Sequence[Comparison], alpha: float, style: str) -> str:
    rows = [
        [
            each.of.what,
            _value(each, each.reference),
            _value(each, each.log),
            f"{each.effect:.3f}",
            f"{each.p:.2g}",
            f"{each.adjusted:.2g}",
            "drifted" if each.adjusted < alpha else "",
        ]
        for each in comparisons
    ]
    head = ["", "expected", "log", "effect", "p", "p (Holm)", ""]
    return tabulate(rows, head, tablefmt=style, disable_numparse=True)


def _value(of: Comparison, value: float) -> str:
    """A median, or a rate."""
    if isinstance(of.of, Distributions):
        return f"median {numbers.number(value, 1)} {of.of.unit}".rstrip()
    return f"{100 * value:.3g} %"


def _sentence(of: Finding, alpha: float) -> str:
    drifted = [each for each in of.comparisons if each.adjusted < alpha]
    if not drifted:
        return (
            f"no drift found (of calls without any, {100 * alpha:g} % at most find some; an effect "
            "is the largest difference of two distribution functions, or of two rates)"
        )
    parts = [
        f"{each.of.what} ({_value(each, each.reference)} → {_value(each, each.log)}, effect "
        f"{each.effect:.3f})"
        for each in drifted
    ]
    return f"drifted: {'; '.join(parts)}"


def _of_canaries(of: Canaries) -> str:
    if not of.differing:
        return f"canaries: all {of.asked} test rows are answered as in the committed predictions"
    return (
        f"canaries: {len(of.differing)} of {of.asked} test rows are answered otherwise than in the "
        f"committed predictions: {', '.join(of.differing)}"
    )


def _json(log: Log, findings: Sequence[Finding], alpha: float) -> str:
    tasks: dict[str, Any] = {}
    for of in findings:
        requests = of.requests
        tasks[of.task] = {
            "answered": len(requests.answered),
            "refused": len(requests.refused),
            "unanswered": requests.unanswered,
            "raw": requests.raw,
            "others": requests.others,
            "compared": [
                {
                    "what": each.of.what,
                    "expected": round(each.reference, 4),
                    "log": round(each.log, 4),
                    "effect": round(each.effect, 4),
                    "p": each.p,
                    "p_holm": each.adjusted,
                    "drifted": each.adjusted < alpha,
                }
                for each in of.comparisons
            ],
            **(
                {"canaries": of.canaries.asked, "differing": list(of.canaries.differing)}
                if of.canaries
                else {}
            ),
        }
    counts = {
        "requests": len(log.entries),
        "broken": log.broken,
        "lost": log.lost,
        "checks": log.checks,
    }
    return json.dumps({**counts, "tasks": tasks}, indent=2)
