"""What is done to each row by itself: cleaning it, and what is known of it; batch by batch.

A batch is some lines of a file of raw rows. `RowWork` can be sent to another process, and gives the
same there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune.core.files import jsonl_row, line
from finetune.core.rows import TaskRow
from finetune.core.schema import Curate, NearDuplicates, Prompt, RowFields
from finetune.data import cleaning, task_rows
from finetune.data.minhash import Signatures, signatures
from finetune.data.split import HASH, columns, text_hash
from finetune.tasks import registry

# Bytes of a batch: some thousand rows, so that arrays pay, and many batches, so that the last ones
# keep all processes busy.
BATCH = 2**20


@dataclass(frozen=True)
class RawBatch:
    """Whole lines of a file of raw rows, the first of which is number `first_line`."""

    path: Path
    first_line: int
    lines: bytes


@dataclass(frozen=True)
class CleanBatch:
    """The rows of a batch that are clean, as lines of JSON, and what is known of them.

    counts: as in `data.json`. raw_inputs: hashes of what the model would read, as it came, of all
    rows that have it. `size` is that of the raw batch in bytes.
    """

    lines: bytes
    columns: np.ndarray
    signatures: Signatures | None
    counts: Counter[str]
    bad: list[dict[str, Any]]
    raw_inputs: np.ndarray
    size: int


def batches(path: Path) -> Iterator[RawBatch]:
    """The lines of a file in batches."""
    first_line = 1
    with path.open("rb") as file:
        while lines := b"".join(file.readlines(BATCH)):
            yield RawBatch(path, first_line, lines)
            first_line += lines.count(b"\n")


@dataclass(frozen=True)
class RowWork:
    """What is done to the rows of a file, `file` in messages.

    `curate` says which are taken. Signatures are computed where `near_duplicates` has a threshold;
    `seed` draws splits. Personal data is counted, and masked with `mask_pii`. Rows of a source that
    is mixed in, `mixed`, are called after it.
    """

    kind: str
    prompt: Prompt | None
    curate: Curate | None
    file: str
    near_duplicates: NearDuplicates
    seed: int
    mask_pii: bool
    phone_regions: tuple[str, ...]
    mixed: str | None = None

    def __call__(self, batch: RawBatch) -> CleanBatch:
        """The batch, clean.

        Raises:
            FileError: a line is not JSON.
        """
        lines = batch.lines.removesuffix(b"\n").split(b"\n")
        raw = [
            jsonl_row(each, batch.path, number)
            for number, each in enumerate(lines, start=batch.first_line)
        ]
        fields = registry.options(self.kind).Task.fields
        rows = task_rows.of_task(
            registry.rows(self.kind, self.prompt), fields, self.curate, self.phone_regions,
            self.mask_pii,
        )  # fmt: skip
        clean = cleaning.clean(raw, rows, self.file)
        clean.rows = [self._called(row) for row in clean.rows]
        # How often what the model reads repeats is counted as it came.
        inputs = [_read(row, fields) for row in raw if isinstance(row.get(fields.input), str)]
        kept = [line(row.model_dump(exclude_unset=True)) for row in clean.rows]
        return CleanBatch(
            lines="".join(f"{each}\n" for each in kept).encode(),
            columns=columns(clean.rows, self.seed),
            signatures=self._signatures([row.input for row in clean.rows]),
            counts=clean.counts,
            bad=clean.bad,
            raw_inputs=_hashes(inputs),
            size=len(batch.lines),
        )

    def _called(self, row: TaskRow) -> TaskRow:
        if self.mixed is None:
            return row
        changed = {"id": f"{self.mixed}/{row.id}", "from_source": self.mixed}
        return row.model_copy(update=changed)

    def empty(self) -> CleanBatch:
        """A batch without rows."""
        return CleanBatch(
            b"", columns([]), self._signatures([]), Counter(), [], _hashes([]), size=0
        )

    def _signatures(self, texts: Sequence[str]) -> Signatures | None:
        near = self.near_duplicates
        if near.threshold is None:
            return None
        return signatures(texts, near.shingle_words, near.permutations, near.bands)


def _read(row: Mapping[str, Any], fields: RowFields) -> str:
    """What the model would read of a raw row."""
    texts = (row.get(name) for name in fields.read)
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def _hashes(texts: Sequence[str]) -> np.ndarray:
    return np.array([text_hash(text) for text in texts], HASH)
