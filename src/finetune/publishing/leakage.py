"""Whether a text of the data stands in what is published.

Weights may hold it too; that cannot be seen here.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_jsonl
from finetune.data.words import WORD

# So many words in a row that stand in both are a text of the data; a shorter text as a whole.
MOST_WORDS, LEAST_WORDS = 8, 5
BINARY = (".safetensors", ".gguf", ".model")
TOKENIZER = "tokenizer.json"

Shingle = tuple[str, ...]


def check(task: str, files: Sequence[Path]) -> None:
    """Check that no file holds words of a row of the task's data.

    Raises:
        UserError: one does. The text itself is not repeated.
    """
    known = {file: _shingles(_words(_text(file))) for file in files if file.suffix not in BINARY}
    for split, row in _rows(task):
        for text in _strings(row):
            shingles = _of_data(_words(text))
            for file, of_file in known.items():
                if not of_file.isdisjoint(shingles):
                    raise UserError(
                        f"{file.name}: holds a text of the data ({split} row "
                        f"{row.get('id', '?')}); nothing was published"
                    )


def _rows(task: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows as prepared, and as fetched: those that were dropped or not drawn are data, too.

    Raises:
        FileError: those as prepared are not there.
    """
    for split in paths.SPLITS:
        for row in read_jsonl(paths.prepared(task) / f"{split}.jsonl"):
            yield split, row
    for file in sorted(paths.raw(task).glob("*.jsonl")):
        for row in read_jsonl(file):
            yield file.stem, row


def _text(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".json":
        return text
    value = json.loads(text)
    if file.name == TOKENIZER:  # the base's own vocabulary, with whole phrases in some scripts
        value.pop("model", None)
    return "\n".join(_strings(value))


def _strings(value: Any) -> Iterator[str]:
    """All texts in a value of JSON, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _words(text: str) -> list[str]:
    return [word for word in WORD.findall(text.casefold()) if word[0].isalnum() or word[0] == "_"]


def _shingles(words: Sequence[str]) -> set[Shingle]:
    """All sequences of so many words as `_of_data` may have."""
    return {each for n in range(LEAST_WORDS, MOST_WORDS + 1) for each in _of_length(words, n)}


def _of_data(words: Sequence[str]) -> set[Shingle]:
    if len(words) < LEAST_WORDS:
        return set()
    return set(_of_length(words, min(MOST_WORDS, len(words))))


def _of_length(words: Sequence[str], n: int) -> Iterable[Shingle]:
    return zip(*(words[i:] for i in range(n)), strict=False)
