"""The header of a GGUF file: its metadata and its table of tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFReader
from gguf.gguf_reader import ReaderTensor

from finetune.core.errors import ModelError

MAGIC = b"GGUF"


@dataclass(frozen=True)
class Gguf:
    """An opened GGUF file; its tensors are memory-mapped, not read."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, ReaderTensor]

    def __getitem__(self, key: str) -> Any:
        """A value of the metadata.

        Raises:
            ModelError: the file does not hold it.
        """
        if key not in self.metadata:
            raise ModelError(f"{self.path}: the metadata lack {key}")
        return self.metadata[key]

    def refuse(self, why: str) -> ModelError:
        """An error that names the file."""
        return ModelError(f"{self.path}: {why}")


def read(path: Path) -> Gguf:
    """Open a GGUF file of version 2 or 3.

    Raises:
        ModelError: it is missing, not GGUF, truncated, or one part of several.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ModelError(f"{path}: is no GGUF file (those begin with {MAGIC.decode()})")
    try:
        reader = GGUFReader(path)
        # The reader adds fields of its own, such as GGUF.version.
        fields = {key: field for key, field in reader.fields.items() if key[:5] != "GGUF."}
        metadata = {key: field.contents() for key, field in fields.items()}
    # The reader checks no lengths: a truncated file raises one of these, from within NumPy.
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        message = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path}: is truncated or damaged ({message}); compare its sha256 with its source's, "
            "and download it again"
        ) from error
    if metadata.get("split.count", 1) > 1:
        raise ModelError(
            f"{path}: is one of {metadata['split.count']} parts; join them first with llama.cpp's "
            "`gguf-split --merge`"
        )
    return Gguf(path, metadata, {tensor.name: tensor for tensor in reader.tensors})
