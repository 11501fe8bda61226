"""A file of paraphrases of train rows, as `finetune dataset paraphrase` writes it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from finetune.core.errors import DataError
from finetune.core.files import read_jsonl, sha256, write_jsonl
from finetune.core.schema import Paraphrases
from finetune.data import provenance


def write(file: Path, texts: Iterable[tuple[str, str]], teacher: str) -> int:
    """Write paraphrases, each with the id of the row that it is of; returns their number."""
    return write_jsonl(
        file, ({"id": row, "paraphrase": text, "teacher": teacher} for row, text in texts)
    )


def read(options: Paraphrases) -> Mapping[str, list[str]]:
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
    texts: dict[str, list[str]] = defaultdict(list)
    for number, row in enumerate(read_jsonl(path), start=1):
        entry = row if isinstance(row, dict) else {}
        row_id, text = entry.get("id"), entry.get("paraphrase")
        if not (isinstance(row_id, str) and isinstance(text, str) and text.strip()):
            raise DataError(f"{path}: line {number}: must have texts `id` and `paraphrase`")
        texts[row_id].append(text)
    return texts
