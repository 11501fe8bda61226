"""merged: base and adapter as one model, in Hugging Face format; loads wherever the base does."""

from pathlib import Path

from finetune.exporting import folders, merging
from finetune.exporting.source import Loaded, Shell, Source, refuse_unless_mergeable
from finetune.modeling import base as base_model

NAME = "merged"


def check(source: Source) -> None:
    """See `forms.Form.check`."""
    refuse_unless_mergeable(source, NAME)


def label(source: Source) -> str:
    """See `forms.Form.label`."""
    return source.label(NAME)


def write(source: Source, folder: Path) -> None:
    """See `forms.Form.write`."""
    model = merging.merged(source, source.into)
    folders.save(model.model, model.tokenizer, folder)


def load(source: Source, folder: Path, _: Shell) -> Loaded:
    """See `forms.Form.load`."""
    options = folders.as_model(source.settings.model, folder)
    return Loaded(base_model.load(options, source.on_original, for_inference=True))
