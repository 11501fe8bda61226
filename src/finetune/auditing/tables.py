"""An audit as text for a terminal or a pull request, and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from finetune.auditing import drawing
from finetune.auditing.hashes import Hashes
from finetune.auditing.recomputing import Recomputed, described

SHOWN = 10
NOT_AUDITED = (
    "Not audited: that `prepare` gives these rows, that training gives this adapter, and the "
    "predictions of the untuned model and of the baselines."
)


@dataclass(frozen=True)
class Audit:
    """What an audit of a revision found; `code` are files that HEAD has otherwise.

    `skipped` are the tasks of which nothing was computed again, since their files are others.
    """

    name: str
    commit: str
    seed: int
    code: Sequence[str]
    hashes: Hashes
    recomputed: Sequence[Recomputed]
    skipped: Sequence[str]

    @property
    def is_as_committed(self) -> bool:
        """Whether nothing differs."""
        return not self.hashes.wrong and not any(each.counts.different for each in self.recomputed)


def text(audit: Audit, edited: float, tolerance: float, style: str) -> str:
    """The verdict, what it rests on, and what it leaves open."""
    verdict = "AS COMMITTED" if audit.is_as_committed else "NOT AS COMMITTED"
    parts = [f"{'## ' if style == 'github' else ''}{verdict}: {audit.name} ({audit.commit[:12]})"]
    parts.append(_hashes(audit.hashes))
    if audit.skipped:
        parts.append(f"Nothing was computed again of {', '.join(audit.skipped)}: see its hashes.")
    if audit.recomputed:
        parts.append(_table(audit.recomputed, edited, style))
        parts.append(_remark(audit, edited, tolerance))
    differing = [one for each in audit.recomputed for one in each.counts.different]
    if differing:
        lines = [f"- {described(one)}" for one in differing[:SHOWN]]
        more = len(differing) - len(lines)
        parts.append("\n".join([*lines, *([f"- and {more} more"] if more else [])]))
    parts.append(_code(audit))
    parts.append(NOT_AUDITED)
    return "\n\n".join(parts)


def _hashes(found: Hashes) -> str:
    lines = [
        f"{found.right} entries of dvc.lock fit files and parameters, {len(found.wrong)} do not."
    ]
    lines += [f"- {line}" for line in found.wrong.values()]
    if found.missing:
        lines.append(f"Not here, and not looked at: {', '.join(found.missing)}.")
    return "\n".join(lines)


def _table(recomputed: Sequence[Recomputed], edited: float, style: str) -> str:
    rows = [
        [
            each.task,
            f"{each.split} {each.what}".strip(),
            f"{each.drawn} of {each.total}",
            each.counts.exact,
            each.counts.within,
            len(each.counts.different),
            _chance(each, edited) if each.split else "",
        ]
        for each in recomputed
    ]
    caught = f"catches {100 * edited:g} %"
    headers = ["task", "computed again", "", "exact", "within tolerance", "different", caught]
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def chance(each: Recomputed, edited: float) -> float:
    """The probability that an edit of this rate of a split's rows would have been found."""
    return drawing.probability(each.total, drawing.num_edited(each.total, edited), each.drawn)


def _chance(each: Recomputed, edited: float) -> str:
    return f"{chance(each, edited):.3f} ({drawing.num_edited(each.total, edited)})"


def _remark(audit: Audit, edited: float, tolerance: float) -> str:
    drawn = [each for each in audit.recomputed if each.split]
    parts = [f"Tolerance of numbers: {tolerance:g} of a large one of their column."]
    if not drawn:
        return " ".join([*parts, "No prediction was computed again (--rows 0)."])
    least = min(chance(each, edited) for each in drawn)
    parts.append(
        f"Had {100 * edited:g} % of a split's predictions been edited, one of them would have been "
        f"drawn with probability {least:.3f} or more (last column: how many these are); "
        f"`--seed {audit.seed}` draws the same rows."
    )
    return " ".join(parts)


def _code(audit: Audit) -> str:
    if not audit.code:
        return "It was computed by the revision's own code, which is that of HEAD (src/, dvc.yaml)."
    count = len(audit.code)
    files = f"{count} file{'' if count == 1 else 's'}"
    return (
        f"It was computed by the revision's own code, which differs from HEAD in {files}; "
        f"`git diff HEAD {audit.commit[:12]} -- src dvc.yaml` shows what nobody audited."
    )


def as_json(audit: Audit, edited: float, tolerance: float) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "revision": audit.name,
        "commit": audit.commit,
        "as_committed": audit.is_as_committed,
        "seed": audit.seed,
        "code_differs": list(audit.code),
        "hashes": {
            "right": audit.hashes.right,
            "wrong": list(audit.hashes.wrong.values()),
            "missing": list(audit.hashes.missing),
        },
        "not_recomputed": list(audit.skipped),
        "edited": edited,
        "tolerance": tolerance,
        "recomputed": [
            {
                "task": each.task,
                "what": each.what,
                "split": each.split or None,
                "total": each.total,
                "drawn": each.drawn,
                "exact": each.counts.exact,
                "within_tolerance": each.counts.within,
                "different": [described(one) for one in each.counts.different],
                "catches": round(chance(each, edited), 6) if each.split else None,
            }
            for each in audit.recomputed
        ],
    }
