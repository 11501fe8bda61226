"""`finetune import-gguf`."""

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", type=Path, help="a GGUF file of a Llama")
    command.add_argument("folder", metavar="DIR", type=Path, help="the new model folder")


def run(_: Path, options: argparse.Namespace) -> int:
    """Convert the GGUF file of a Llama to a folder in Hugging Face format."""
    from finetune.importing import gguf  # takes seconds to import (transformers)

    gguf.convert(options.file, options.folder)
    print(f"{options.folder}: dvc exp run -S model=local -S model.name={options.folder}")
    return 0
