"""`finetune export`: a tuned model in a form that other programs load, scored as the adapter is."""

import functools
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.core import params, paths
from finetune.core.errors import UserError
from finetune.core.files import replaced_folder, short_hash, write_json, write_text
from finetune.exporting import adapter, folders, forms, measuring, merged
from finetune.exporting.forms import Form
from finetune.exporting.measuring import Measured, Rows
from finetune.exporting.source import Into, Loaded, Shell, Source
from finetune.forms import entries, records
from finetune.forms.entries import Entry
from finetune.methods import registry as methods
from finetune.tasks import registry

OTHER_BASE: dict[Into, Into] = {"original": "dequantized", "dequantized": "original"}


@dataclass(frozen=True)
class Options:
    """What a user chose.

    into: None is the base that the adapter was trained on, where the form can be had of it; rows:
    the number of test rows, None for all.
    """

    form: str
    out: Path
    into: Into | None = None
    rows: int | None = None
    llama_cpp: Path = Path(".llama.cpp")
    gguf_type: str = "f16"
    style: str = "simple"


def run(root: Path, task: str, options: Options) -> int:
    """Write a form of a task's tuned model, score it beside the adapter, and print the table.

    Raises:
        UserError: the form cannot be had; nothing is written then.
    """
    source = source_of(root, task, options)
    settings = source.settings
    form = forms.of(options.form)
    form.check(source)
    _check_out(options.out)
    given = measuring.rows(root, source, options.rows)
    tuned, shell = _tuned(source, given)
    new = {records.ADAPTER: _entry(source, tuned, tuned)}
    with replaced_folder(options.out) as folder:
        form.write(source, folder)
        measured = _measured(form, source, folder, shell, given)
        written = {"into": source.into, "weights_hash": folders.weights_hash(folder)}
        new[measured.name] = _entry(source, tuned, measured, **written)
        if options.form == merged.NAME and settings.method.is_quantized:
            other = _of_other_base(form, source, folder, shell, given)
            new[other.name] = _entry(source, tuned, other, into=OTHER_BASE[source.into])
        write_json(folder / records.FILE, records.as_metrics(task, new))
        if options.out.resolve().is_relative_to(root.resolve()):
            write_text(folder / folders.IGNORED, folders.IGNORES_ALL)
    # A few rows are a first look: what is on record is of all.
    on_record = new if options.rows else records.add(root, task, new)
    kind = settings.tasks[task]
    declared = registry.metrics(kind.kind, kind.primary, kind.prompt)
    print(records.table(declared, on_record, settings.bootstrap.confidence, options.style))
    print(f"\n{options.out}: {options.form}, on {_of_rows(options, given)}")
    return 0


def source_of(root: Path, task: str, options: Options) -> Source:
    """What is exported, as the options say.

    Raises:
        UserError: nothing is trained, or the options do not fit the parameters.
    """
    settings = params.read(root / "params.yaml")
    if task not in settings.tasks:
        raise UserError(f"no task {task!r}; known: {', '.join(settings.tasks)}")
    if settings.method.is_hosted:
        raise UserError(f"{task}: was tuned at its provider (method=hosted), who keeps the weights")
    if paths.trained_weights(task) is None:
        raise UserError(f"{paths.adapter(task)}: nothing is trained; run `dvc repro` or `dvc pull`")
    if not (paths.prepared(task) / "test.jsonl").is_file():
        raise UserError(f"{paths.prepared(task)}: no test rows; run `dvc repro` or `dvc pull`")
    if options.rows is not None and options.rows < 2:
        raise UserError(
            f"--rows: is {options.rows}, must be at least 2: an interval needs a variance"
        )
    if options.into == "dequantized" and not settings.method.is_quantized:
        raise UserError("--into dequantized: the base is not quantized (method.quantization=none)")
    has_two = settings.method.is_quantized and options.form != adapter.NAME
    into = options.into or ("dequantized" if has_two else "original")
    return Source(
        task, root / paths.adapter(task), settings, into, options.llama_cpp,
        options.gguf_type,
    )  # fmt: skip


def _entry(source: Source, tuned: Measured, form: Measured, **about: str) -> Entry:
    settings = source.settings
    return entries.entry(
        settings,
        source.task,
        tuned.predictions,
        form.predictions,
        short_hash(source.folder / methods.of(settings.method).WEIGHTS),
        form.run(),
        model=paths.without_folders(settings.model.name),
        **about,
    )


def _of_rows(options: Options, given: Rows) -> str:
    count = len(given.test)
    return f"the first {count} test rows" if options.rows else f"all {count} test rows"


def _check_out(out: Path) -> None:
    """See that an export may replace what is there.

    Raises:
        UserError: it is a file, or a folder with something else in it.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: is a file; give a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / records.FILE).is_file():
        raise UserError(f"--out {out}: holds something else than an export; give a new folder")


def _tuned(source: Source, given: Rows) -> tuple[Measured, Shell]:
    """The tuned model as the pipeline uses it."""
    settings = source.settings

    def load() -> Loaded:
        return Loaded(methods.load(settings.model, settings.method, source.folder))

    return measuring.measure(records.ADAPTER, source, source.folder, load, given)


def _measured(form: Form, source: Source, folder: Path, shell: Shell, given: Rows) -> Measured:
    name = form.label(source)
    load = functools.partial(form.load, source, folder, shell)
    measured, _ = measuring.measure(name, source, folder, load, given)
    return measured


def _of_other_base(form: Form, source: Source, folder: Path, shell: Shell, given: Rows) -> Measured:
    """The form on the other of the two bases, which is scored and not kept."""
    other = replace(source, into=OTHER_BASE[source.into])
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        form.write(other, Path(temporary))
        return _measured(form, other, Path(temporary), shell, given)
