"""`finetune readme`."""

import argparse
from pathlib import Path

from finetune.checks import readme
from finetune.core.files import read_text, write_text


def run(root: Path, _: argparse.Namespace) -> int:
    """Write the results of metrics/ to README.md: models, and the best baseline by validation."""
    file = root / "README.md"
    write_text(file, readme.with_results(read_text(file), root))
    return 0
