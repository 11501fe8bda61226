"""`finetune ship REV --against main`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from finetune import ledger
from finetune.comparing import (
    command,
    comparability,
    configurations,
    looks,
    runs,
    ship,
    tables,
    verdicts,
)
from finetune.comparing.configurations import SEEDS, Configuration
from finetune.comparing.ship import Decision, Question
from finetune.core import params
from finetune.core.errors import UserError


def run(root: Path, revision: str, against: str, options: command.Options) -> int:
    """Print the verdict; returns its exit code: 0 SHIP, 1 DON'T SHIP, 3 INCONCLUSIVE.

    Raises:
        UserError: a revision does not exist, or the two cannot be compared.
    """
    bootstrap = params.read(root / "params.yaml").bootstrap
    named = [runs.read(root, name) for name in (against, revision)]
    sides = command.with_seeds(root, named, SEEDS, "test", options.named_only)
    main, candidate = sides[0], sides[-1]
    if len(sides) == 1 and named[0].digests != named[1].digests:
        raise UserError(f"{revision}: is a further seed of {against}; there is no change to ship")
    missing = comparability.lacking(main.first, candidate.first)
    if missing:
        raise UserError(f"{revision}: lacks {', '.join(missing)}, which {against} has")
    book = ledger.read(root)
    measured = verdicts.compare(main, [candidate], bootstrap, options.by_cluster)
    now = looks.of_comparisons(main, [candidate], measured, options.by_cluster)
    (compared,) = verdicts.judge(measured, bootstrap, looks.others(book, now))
    # Before anything is shown: whoever leaves early (`| head`) has looked.
    command.note_looks(root, now)
    decision = ship.decide(main, candidate, compared, bootstrap, options.by_cluster)
    if options.style == "json":
        print(json.dumps(as_json(main, candidate, decision), indent=2))
    else:
        print(text(main, candidate, decision, options.style))
    return ship.EXIT_CODES[decision.word]


def text(main: Configuration, candidate: Configuration, decision: Decision, style: str) -> str:
    """The verdict, what it rests on, and what is missing."""
    heading = "## " if style == "github" else ""
    parts = [
        f"{heading}{decision.word}: {candidate.name} against {main.name}",
        f"Because: {decision.why}.",
        "\n".join(configurations.seeds_line(each) for each in (main, candidate)),
    ]
    parts.append(tables.changes_table(tables.changes(main, candidate), style))
    rows = [_cells(each) for each in decision.questions]
    headers = ["task", f"is {candidate.name} …", "", "gain [interval]", "may lose", ""]
    parts.append(tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True))
    if decision.missing:
        parts.append("\n".join(["Missing:", *(f"- {each}" for each in decision.missing)]))
        if len(main.runs) + len(candidate.runs) < ship.MIN_RUNS:
            parts.append(f"More seeds: {tables.seeds_commands(main, candidate)}.")
    parts.append(
        "A gain is positive where the candidate is better. Verdicts on primary scores are "
        "Holm-adjusted over tasks and earlier looks at these rows; every other line must hold by "
        "itself."
    )
    return "\n\n".join(parts)


def _cells(each: Question) -> Sequence[str]:
    interval = ""
    if each.gain:
        low, mean, high = (
            # Without the sign of what is zero.
            f"{round(value, each.decimals) + 0.0:+.{each.decimals}f}"
            for value in (each.gain.low, each.gain.mean, each.gain.high)
        )
        interval = f"{mean} [{low}, {high}]"
    margin = "" if each.margin is None else f"{each.margin:g}"
    return [each.task, each.asked, each.answer, interval, margin, each.said]


def as_json(main: Configuration, candidate: Configuration, decision: Decision) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "verdict": decision.word,
        "why": decision.why,
        "main": [run.name for run in main.runs],
        "candidate": [run.name for run in candidate.runs],
        "questions": [
            {
                "task": each.task,
                "asked": each.asked,
                "answer": each.answer,
                "gain": each.gain.rounded() if each.gain else None,
                "margin": each.margin,
                "said": each.said,
            }
            for each in decision.questions
        ],
        "missing": list(decision.missing),
    }
