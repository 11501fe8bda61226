"""The forms, by the names of `--form`: nobody else asks which one it is."""

from pathlib import Path
from typing import Protocol, cast

from finetune.exporting import adapter, gguf, merged, packed
from finetune.exporting.source import Loaded, Shell, Source


class Form(Protocol):
    """What a module of a form has, or an object."""

    NAME: str

    def check(self, source: Source) -> None:
        """See that the form can be had, before anything is loaded.

        Raises:
            UserError: it cannot, of this model or on this machine.
        """

    def label(self, source: Source) -> str:
        """Its name in tables and metric files."""

    def write(self, source: Source, folder: Path) -> None:
        """Write the form into a new folder.

        Raises:
            UserError: it cannot be made.
        """

    def load(self, source: Source, folder: Path, shell: Shell) -> Loaded:
        """The form as it was written, to answer rows; `shell` is that of the tuned model.

        Raises:
            UserError: it cannot be loaded.
        """


FORMS = (adapter, merged, packed.INT8, packed.INT4, gguf)
NAMES = tuple(form.NAME for form in FORMS)


def of(name: str) -> Form:
    """The form of a name."""
    return cast(Form, {form.NAME: form for form in FORMS}[name])
