"""A file of paraphrases of train rows, as `finetune dataset paraphrase` writes it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from finetune.core.errors import DataError
from finetune.core.files import read_jsonl, sha256, write_jsonl
from finetune.core.schema import Paraphrases
from finetune.data import provenance


@dataclass(frozen=True)
class Paraphrase:
    """A text in other words: `id` and `text_hash` (`input_hash`) are of the row that had it.

    Ids may be of other rows in another run: those that a source lacks are its rows' places.
    """

    id: str
    text_hash: str
    paraphrase: str
    teacher: str


def write(file: Path, paraphrases: Iterable[Paraphrase]) -> int:
    """Write paraphrases; returns their number."""
    return write_jsonl(file, map(asdict, paraphrases))


def read(options: Paraphrases) -> Mapping[str, list[Paraphrase]]:
    """The paraphrases by the ids of their rows, in their order.

    Raises:
        DataError: the file is not there, not the one that is pinned, or holds something else.
    """
    path = Path(options.file)
    if not path.is_file():
        raise DataError(
            f"source.augment.paraphrases: {path}: no such file (in the queue and in --temp runs it "
            "must be in Git, or given as an absolute path)"
        )
    provenance.check_pin(str(path), sha256(path), options.sha256)
    by_id: dict[str, list[Paraphrase]] = defaultdict(list)
    names = ("id", "text_hash", "paraphrase", "teacher")
    for number, row in enumerate(read_jsonl(path), start=1):
        values = [row.get(name) for name in names] if isinstance(row, dict) else []
        texts = [value for value in values if isinstance(value, str) and value.strip()]
        if len(texts) < len(names):
            raise DataError(f"{path}: line {number}: must have texts {', '.join(names)}")
        by_id[texts[0]].append(Paraphrase(*texts))
    return by_id
