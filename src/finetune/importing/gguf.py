"""Conversion of a Llama's GGUF file to a folder in Hugging Face format."""

import shutil
from collections.abc import Collection
from pathlib import Path

from jinja2 import Template
from transformers import GenerationConfig

from finetune.core.errors import ModelError
from finetune.core.files import replaced_folder, sha256, write_text
from finetune.importing import config, origin, reader, tokenizer, weights
from finetune.importing.reader import Gguf

CARD = "README.md"

CARD_TEXT = Template(
    """\
---
{% if license %}license: {{ license }}
{% endif %}---
# {{ name }}

Converted from the GGUF file `{{ file }}` by `finetune import-gguf`;
the weights are dequantized to {{ dtype }}.

| | |
|---|---|
| source | {{ file }} |
| sha256 | {{ sha256 }} |
| stored as | {{ types }} |
| licence | {{ license or "not stated in the file" }} |
{% if organization %}| made by | {{ organization }} |
{% endif %}""",
    keep_trailing_newline=True,
)


def convert(file: Path, folder: Path, keep: Collection[str] = ()) -> None:
    """Write the model of a GGUF file into `folder`, atomically.

    An earlier import in the folder is replaced; files named in `keep` are preserved.

    Raises:
        ModelError: the file cannot be converted, or the folder holds other files.
    """
    _check_target(folder, keep)
    gguf = reader.read(file)
    settings = config.config(gguf, weights.dtype(gguf))
    converted_tokenizer = tokenizer.tokenizer(gguf, settings.max_position_embeddings)
    with replaced_folder(folder) as new:
        settings.save_pretrained(new)
        _generation(gguf).save_pretrained(new)
        converted_tokenizer.save_pretrained(new)
        weights.write(gguf, settings, new)
        facts = _facts(gguf, str(settings.dtype).removeprefix("torch."))
        if CARD not in keep:
            write_text(new / CARD, CARD_TEXT.render(facts))
        origin.write(new, facts)
        for name in keep:
            if (folder / name).exists():
                shutil.copy2(folder / name, new / name)


def _check_target(folder: Path, keep: Collection[str]) -> None:
    """Check that nothing but an earlier import would be replaced."""
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: is a file; name a folder")
    known = {origin.NAME, *keep, *origin.read(folder).get("files", {})}
    others = sorted(path.name for path in folder.glob("*") if path.name not in known)
    if others:
        raise ModelError(f"{folder}: holds {others[0]}, which no import wrote; give a new folder")


def _generation(gguf: Gguf) -> GenerationConfig:
    ids = gguf.metadata
    ends = [ids.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")]
    return GenerationConfig(
        bos_token_id=ids.get("tokenizer.ggml.bos_token_id"),
        eos_token_id=sorted({end for end in ends if end is not None}),
        pad_token_id=ids.get("tokenizer.ggml.padding_token_id"),
    )


def _facts(gguf: Gguf, dtype: str) -> dict[str, str | None]:
    general = {
        key: gguf.metadata.get(f"general.{key}") for key in ("name", "organization", "license")
    }
    types = sorted({tensor.tensor_type.name for tensor in gguf.tensors.values()})
    return {
        "file": gguf.path.name,
        "sha256": sha256(gguf.path),
        **general,
        "name": general["name"] or gguf.path.stem,
        "types": ", ".join(types),
        "dtype": dtype,
    }
