"""int4: linear layers of the merged model in 4 bits, a scale for a few inputs; see `packed`."""

from pathlib import Path

from finetune.exporting import packed
from finetune.exporting.source import Source

NAME = "int4"
load = packed.load


def check(source: Source) -> None:
    """See `forms.Form.check`."""
    packed.check(source, NAME)


def label(source: Source) -> str:
    """See `forms.Form.label`."""
    return source.label(NAME)


def write(source: Source, folder: Path) -> None:
    """See `forms.Form.write`."""
    packed.write(source, folder, bits=4, is_grouped=True)
