"""All rows of a user's files, read and checked as `fetch` and `prepare` would."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from finetune.core import paths
from finetune.core.errors import DataError
from finetune.core.rows import TaskRow
from finetune.core.schema import ALL, Data, TaskSource
from finetune.data import preparation, sources
from finetune.data.preparation import FIRST_BAD, Rules, Source
from finetune.data.split import Split
from finetune.scaffold.layout import Layout
from finetune.tasks import registry

# Rejected rows that are listed.
MAX_LISTED = FIRST_BAD
# A larger fraction of bad rows means that the columns were guessed wrong.
MAX_BAD = 0.5


@dataclass(frozen=True)
class Findings:
    """The splits as `prepare` would write them, and the highest rate of bad rows of a split."""

    kind: str
    splits: dict[str, Split]
    bad_rate: float

    @property
    def rows(self) -> list[TaskRow]:
        """The kept rows of all splits."""
        return [row for name in paths.SPLITS for row in self.splits[name].rows]


def check(name: str, layout: Layout, source: TaskSource, kind: str, data: Data) -> Findings:
    """Read and check every row as the pipeline does, without writing.

    Raises:
        DataError: `prepare` would fail whatever its settings, or most rows are bad.
    """
    row_fields = registry.options(kind).Task.fields
    fetched = sources.fetch("files", str(layout.root), data.embedded, source, row_fields)
    # No limit on bad rows here: they are reported with the other counts.
    rules = Rules(
        1.0, data.near_duplicates, data.test_fraction, data.validation_fraction, data.seed
    )
    # The rows can be read until the last of them is forgotten: their files are mapped into memory.
    with tempfile.TemporaryDirectory() as folder:
        raw = sources.write(fetched.splits, Path(folder))
        for split, file in raw.items():
            if not file.stat().st_size:
                raise DataError(f"{layout.splits[split]}: holds no rows")
        splits = preparation.prepare(
            Source(name, kind, None, raw, layout.splits), rules, Path(folder)
        ).splits
    for split, file_name in layout.splits.items():
        bad, rows = splits[split].counts["set_aside"], splits[split].counts["rows"]
        if bad > MAX_BAD * rows:
            first = splits[split].bad[0]
            raise DataError(
                f"{file_name}: {first['place']}: {first['reason']}; {bad} of {rows} "
                "rows are bad; see --input, --target and --id for other columns"
            )
    preparation.check_rows(name, splits)
    counts = [splits[split].counts for split in raw]
    return Findings(kind, splits, max(count["set_aside"] / count["rows"] for count in counts))


def table(findings: Findings) -> str:
    """A table of counts by split: those of data.json that are not 0, and the kept rows."""
    splits = {
        name: {**split.counts, **({} if name == ALL else {"kept": len(split)})}
        for name, split in findings.splits.items()
    }
    counts_of = registry.init(findings.kind).INIT.counts
    for name in paths.SPLITS:
        # Of a split that came as one, what cleaning counted: that is what data.json has.
        splits[name] |= counts_of(findings.splits[name].rows) | splits[name]
    order = [ALL, *paths.SPLITS]
    names = [name for name in order if name in splits]
    known = dict.fromkeys(count for name in names for count in splits[name])
    counts = [c for c in known if c != "kept" and any(splits[n].get(c) for n in names)] + ["kept"]
    body = [[c.replace("_", " "), *(splits[n].get(c) for n in names)] for c in counts]
    return tabulate(body, headers=["rows", *names], tablefmt="simple", missingval="")


def set_aside(findings: Findings) -> list[str]:
    """The first rows that violate the schema, each with its file, place and reason."""
    bad = [row for split in findings.splits.values() for row in split.bad][:MAX_LISTED]
    lines = [f"{row['file']}: {row['place']}: {row['reason']}" for row in bad]
    further = sum(split.counts.get("set_aside", 0) for split in findings.splits.values()) - len(bad)
    return [*lines, f"… and {further} more"] if further else lines


def needed_bad_rate(findings: Findings, data: Data) -> float | None:
    """The `data.max_bad_rate` at which these rows pass; None if they already do."""
    if findings.bad_rate <= data.max_bad_rate:
        return None
    return math.ceil(100 * findings.bad_rate) / 100
