"""`finetune params`."""

import argparse
from pathlib import Path

from finetune.checks import parameters
from finetune.composition import compose
from finetune.core import params
from finetune.core.files import write_text


def run(root: Path, _: argparse.Namespace) -> int:
    """Compose conf/ into params.yaml, and print each key that changes."""
    text = compose(root, [])
    params.validate_text(text, "conf")
    for line in parameters.differences(root):
        print(line)
    write_text(root / "params.yaml", text)
    return 0
