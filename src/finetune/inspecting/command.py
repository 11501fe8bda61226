"""`finetune dataset check FILE`: prints what is wrong with a file before anything is trained."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from finetune.core.errors import DataError
from finetune.inspecting import columns, findings
from finetune.inspecting.columns import Columns, Setting
from finetune.inspecting.findings import Checked, Line, Repeats


@dataclass(frozen=True)
class Options:
    """What is asked of a file; see `commands/dataset.py`."""

    kind: str | None = None
    task: str | None = None
    against: Path | None = None
    input: str | None = None
    target: Sequence[str] = ()
    id: str | None = None
    show: int = 10


def run(root: Path, file: Path, options: Options) -> int:
    """Print counts, and the first lines of each kind of what is wrong.

    Raises:
        DataError: the file cannot be read, or more of its rows are bad than `data.max_bad_rate`.
    """
    setting = columns.setting(root, options.kind, options.task)
    given = Columns(options.input, options.target, options.id)
    checked = _checked(file, given, setting)
    against = _checked(options.against, given, setting) if options.against else None
    repeats = findings.repeated(checked, against, setting.data.near_duplicates)
    print(f"{file}: rows of the kind {setting.kind}\n")
    print(tabulate(_counts(checked, repeats, against, setting), tablefmt="plain"))
    for title, lines in _lists(checked, repeats, against):
        _print_lines(title, lines, options.show)
    _judge(checked, setting)
    return 0


def _checked(file: Path, given: Columns, setting: Setting) -> Checked:
    try:
        layout = columns.find(file, given, setting)
        return findings.check(file, layout, setting)
    except (ValueError, OverflowError, RecursionError) as error:
        # What a format's library says of a file that is damaged as a whole.
        raise DataError(f"{file}: cannot be read ({' '.join(str(error).split()):.200})") from None


def _counts(
    checked: Checked, repeats: Repeats, against: Checked | None, setting: Setting
) -> list[tuple[str, str]]:
    """What there is how often; nothing that is never there, but for bad rows and repetitions."""
    good = len(checked.rows)
    rows = [
        ("rows", f"{checked.total:,}"),
        ("bad rows", f"{len(checked.bad):,} ({100 * checked.bad_rate:.2f} %)"),
        ("without input or target", f"{len(repeats.empty):,}"),
        ("exact repetitions", f"{len(repeats.exact):,}"),
        ("of an earlier input, another answer", f"{len(repeats.other_answers):,}"),
    ]
    near = setting.data.near_duplicates.threshold
    if near is not None:
        rows.append((f"near-duplicates (from {near:g} on)", f"{len(repeats.near):,}"))
    if against is not None:
        rows.append((f"leaks: inputs of {against.file.name}", f"{len(repeats.leaks):,}"))
        if near is not None:
            rows.append((f"leaks: near to {against.file.name}", f"{len(repeats.near_leaks):,}"))
        if against.bad:
            rows.append((f"bad rows of {against.file.name}", f"{len(against.bad):,}"))
    in_prompt = sum(row.answer_in_input for row in checked.rows)
    rows.append(("answer stands in the input", f"{in_prompt:,} of {good:,}"))
    rows += [(name.replace("_", " "), f"{n:,}") for name, n in checked.found.most_common()]
    return [*rows, *_tokens(checked, setting)]


def _tokens(checked: Checked, setting: Setting) -> Iterator[tuple[str, str]]:
    """How long rows are, by the tokenizer of the repository's model where it is on this machine."""
    if not checked.rows:
        return
    from finetune.planning import lengths  # takes seconds to import

    rows, remark = lengths.of_rows(checked.rows, setting.prompt, setting.model)
    for name in ("prompt", "completion"):
        counts = sorted(getattr(row, name) for row in rows)
        high = counts[math.ceil(0.95 * len(counts)) - 1]
        mean = sum(counts) / len(counts)
        yield (
            f"tokens of a {name}",
            f"mean {mean:.0f}, 95 % have at most {high:,}, the longest {counts[-1]:,}",
        )
    total = sum(row.prompt + row.completion for row in rows) * len(checked.rows) / len(rows)
    yield "tokens of an epoch", f"{total:,.0f} ({remark})"
    if setting.prompt is not None:
        for name, most in (
            ("prompt", setting.prompt.max_tokens),
            ("completion", setting.prompt.max_completion_tokens),
        ):
            over = sum(getattr(row, name) > most for row in rows)
            key = "max_tokens" if name == "prompt" else "max_completion_tokens"
            yield f"{name}s above prompt.{key} ({most})", f"{100 * over / len(rows):.1f} %"


def _lists(
    checked: Checked, repeats: Repeats, against: Checked | None
) -> Iterator[tuple[str, list[Line]]]:
    yield "Bad rows", checked.bad
    if against is not None:
        yield f"Bad rows of {against.file.name}", against.bad
        yield f"Leaks into {against.file.name}", [*repeats.leaks, *repeats.near_leaks]
    yield "Without input or target", repeats.empty
    yield "Exact repetitions", repeats.exact
    yield "Another answer to an earlier input", repeats.other_answers
    yield "Near-duplicates", repeats.near


def _print_lines(title: str, lines: Sequence[Line], show: int) -> None:
    if not lines:
        return
    print(f"\n{title}:")
    for line in lines[:show]:
        print(f"  {line.place}: {line.what}")
    if (more := len(lines) - show) > 0:
        print(f"  … and {more:,} more (--show {len(lines)})")


def _judge(checked: Checked, setting: Setting) -> None:
    """See that no more rows are bad than a run takes.

    Raises:
        DataError: more are.
    """
    most = setting.data.max_bad_rate
    if checked.bad_rate > most:
        first = checked.bad[0]
        needed = math.ceil(100 * checked.bad_rate) / 100
        raise DataError(
            f"{checked.file}: {first.place}: {first.what}; {len(checked.bad)} of {checked.total} "
            f"rows are bad, more than data.max_bad_rate ({most:g}) allows: mend them, or "
            f"-S data.max_bad_rate={needed:g}"
        )
