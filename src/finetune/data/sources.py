"""The three sources of rows: the embedded generator, files of a folder, data sets of the hub.

Each gives, for each split, *raw rows* in our field names: `{"place": "line 17", **fields}`, or
`{"place": "line 17", "broken": "no JSON …"}` for what could not be read as a row. `prepare` decides
about those, with the file and line at hand. Files may come with somebody's answers to test rows.

Sources that a task mixes in give train rows, each in a file of its own beside the splits.
"""

import contextlib
import importlib
import importlib.util
import itertools
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from finetune.core import hub
from finetune.core.errors import DataError
from finetune.core.files import sha256, write_jsonl
from finetune.core.progress import progress
from finetune.core.schema import (
    Embedded,
    Files,
    Guesses,
    Hub,
    MixedSource,
    RowFields,
    SplitName,
    TaskSource,
)
from finetune.core.text import id_field
from finetune.data import fields, provenance, readers

if TYPE_CHECKING:
    import datasets

log = logging.getLogger(__name__)


@dataclass
class Fetched:
    """Raw rows of each split, where they came from, and others' answers by their baseline's name.

    Rows are read as they are asked for: once, split by split in this order; those of a source that
    is mixed in stand under its name, and so does its origin in `origin["mix"]`. An answer is
    `{"id": "7", "guess": 12.5, "place": "line 3"}`.
    """

    splits: dict[str, Iterator[dict[str, Any]]]
    origin: dict[str, Any] = field(default_factory=dict)
    guesses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def fetch(
    which: str,
    root: str | None,
    embedded: Embedded,
    source: TaskSource,
    row_fields: RowFields,
    earlier: Mapping[str, Any] | None = None,
) -> Fetched:
    """The raw rows of a task from the source called `which`.

    `root` is the folder of `files`, `embedded` the sizes and seed of the generator, `row_fields`
    what the kind's rows have; `earlier` the origin of the last fetch, if there was one.

    Raises:
        DataError: a folder, file or data set is missing, cannot be read or is not the one that is
            pinned, or an answer is none.
            That a file is damaged shows when its rows are read.
    """
    earlier = earlier or {}
    fetched = _one(which, root, embedded, source, row_fields, earlier)
    for name, part in sorted(source.mix.items()):
        if part.files is not None and root is None:
            raise DataError(
                f"data.root: is not set, and source.mix.{name} is a file below it: -S data.root=DIR"
            )
        before = earlier.get("mix", {}).get(name, {})
        with _named(name):
            mixed_in = _one(part.which, root, embedded, part, row_fields, before, name)
        fetched.splits[name] = _rows_named(name, mixed_in.splits["train"])
        fetched.origin.setdefault("mix", {})[name] = {**mixed_in.origin, "weight": part.weight}
    return fetched


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Say in errors that they are of a source that is mixed in."""
    try:
        yield
    except DataError as error:
        raise DataError(f"source.mix.{name}: {error}") from None


def _rows_named(name: str, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    with _named(name):
        yield from rows


def _one(
    which: str,
    root: str | None,
    embedded: Embedded,
    source: TaskSource | MixedSource,
    row_fields: RowFields,
    earlier: Mapping[str, Any],
    mixed: str | None = None,
) -> Fetched:
    """The raw rows of one source; of one that is mixed in, `mixed` is its name."""
    if which == "embedded":
        return _embedded(embedded, source.embedded, mixed)
    if which == "files" and source.files is not None:
        return _files(root, source.files, source.licence, row_fields)
    return _hub(source.hub, source.licence, row_fields, earlier)


def write(splits: Mapping[str, Iterable[dict[str, Any]]], folder: Path) -> dict[str, Path]:
    """Write the raw rows of each split to a file in a folder, as `prepare` reads them."""
    files = {}
    for split, rows in splits.items():
        files[split] = folder / f"{split}.jsonl"
        write_jsonl(files[split], rows)
    return files


def _embedded(options: Embedded, generator: str | None, mixed: str | None) -> Fetched:
    """Rows of one endless stream that never repeats itself: splits share none by construction.

    One that is mixed in is a stream of its own, of train rows.
    """
    if generator is None:
        raise DataError("data.source: this task has no embedded generator; use data=files or hub")
    seed = f"{generator}-{options.seed}" if mixed is None else f"{generator}-{options.seed}-{mixed}"
    stream = _generator(generator)(random.Random(seed))

    def drawn(split: str) -> Iterator[dict[str, Any]]:
        count = getattr(options.rows, split)
        rows = progress(itertools.islice(stream, count), f"generate {split}", "row", count)
        for number, row in enumerate(rows, start=1):
            yield {"place": f"row {number}", "id": f"{split}-{number}", **row}

    # Test first: more training rows then leave the test rows as they are, and scores comparable.
    names = ("test", "validation", "train") if mixed is None else ("train",)
    splits = {split: drawn(split) for split in names}
    origin = {"source": "embedded", "generator": generator, "seed": options.seed, "licence": "MIT"}
    return Fetched(splits, origin)


def _generator(name: str) -> Callable[[random.Random], Iterator[dict[str, Any]]]:
    """The function `rows` of the module of that name in `src/synthetic/rows`.

    Found by name, so that a task with rows of its own adds a file and edits none.
    """
    path = f"synthetic.rows.{name}"
    module = importlib.import_module(path) if importlib.util.find_spec(path) else None
    rows: Callable[[random.Random], Iterator[dict[str, Any]]] | None
    rows = getattr(module, "rows", None)
    if rows is None:
        raise DataError(
            f"source.embedded: there is no src/synthetic/rows/{name}.py with a function rows"
        )
    return rows


def _files(root: str | None, source: Files, licence: str, row_fields: RowFields) -> Fetched:
    if root is None:
        raise DataError("data.root: is not set; give the folder: -S data=files -S data.root=DIR")
    folder = Path(root) / source.folder
    if not folder.is_dir():
        raise DataError(
            f"data.root: {folder} is no folder; data.root must hold {source.folder}/ "
            "(in the queue and in --temp runs give data.root as an absolute path)"
        )
    splits: dict[str, Iterator[dict[str, Any]]] = {}
    files: dict[str, dict[str, str]] = {}
    for split, name in source.splits.items():
        path = folder / name
        readers.check(path)
        since = provenance.state(path)
        files[split] = {"file": _shown(source, name), "sha256": sha256(path)}
        provenance.check_pin(str(path), files[split]["sha256"], source.sha256.get(name))
        rows = provenance.unchanged(path, readers.read(path, source.delimiter), since)
        splits[split] = _raw_rows(split, rows, _mapping(source, split), row_fields)
    origin: dict[str, Any] = {"source": "files", "files": files, "licence": licence}
    guesses = {}
    for name, options in source.guesses.items():
        path = folder / options.file
        if not path.is_file():
            log.info(f"{path}: no such file, hence no baseline {name!r}")
            continue
        file = {"file": _shown(source, options.file), "sha256": sha256(path)}
        provenance.check_pin(str(path), file["sha256"], source.sha256.get(options.file))
        guesses[name] = _guesses(path, options, source.delimiter)
        origin.setdefault("guesses", {})[name] = {**file, "source": options.source}
    return Fetched(splits, origin, guesses)


def _shown(source: Files, name: str) -> str:
    """A file below data.root, as messages and source.json have it."""
    return (PurePosixPath(source.folder) / name).as_posix()


def _guesses(path: Path, options: Guesses, delimiter: str) -> list[dict[str, Any]]:
    """Somebody's answers in a file, as they stand there; none is left out."""
    guesses: dict[str, dict[str, Any]] = {}
    for place, row in readers.read(path, delimiter):
        try:
            if isinstance(row, str):
                raise ValueError(row)
            for column in (options.id, options.guess):
                if column not in row:
                    raise ValueError(f"has no {column!r}; it has {', '.join(map(repr, row))}")
            row_id = id_field({"id": row[options.id]})
        except ValueError as error:
            raise DataError(
                f"{path}: {place}: {error}; mend the file, or source.files.guesses in the "
                "task's config"
            ) from None
        if row_id in guesses:
            raise DataError(f"{path}: {place}: a second answer to row {row_id!r}")
        guesses[row_id] = {"id": row_id, "guess": row[options.guess], "place": place}
    return list(guesses.values())


def _hub(
    options: Hub | None, licence: str, row_fields: RowFields, earlier: Mapping[str, Any]
) -> Fetched:
    """Rows of a data set at its pinned commit, or at the newest one, which `origin` records.

    A data set that is not pinned stays at the recorded commit until it is fetched again: the
    parameters do not change when the hub does.
    """
    if options is None:
        raise DataError("data.source: this task has no source.hub; use data=files or embedded")
    revision = options.revision or hub.current_commit(options.repo, "dataset")
    loaded = _load(options.repo, options.config, revision)
    downloads = provenance.downloads(options.repo, options.config, revision)
    provenance.check_downloads(downloads, options.sha256, options.repo, revision, earlier)
    splits: dict[str, Iterator[dict[str, Any]]] = {}
    for split, name in options.splits.items():
        if name not in loaded:
            has = ", ".join(map(str, loaded))
            raise DataError(f"{options.repo}: no split {name!r}; it has {has}")
        mapping = _mapping(options, split)
        columns = loaded[name].column_names
        if absent := fields.lacking(mapping, columns):
            raise DataError(
                f"{options.repo}: {name} has no column {', '.join(map(repr, absent))}; it has "
                f"{', '.join(columns)} (source.hub.fields in the task's config)"
            )
        read = progress(loaded[name], f"read {name}", "row")
        rows = ((f"row {number}", row) for number, row in enumerate(read, start=1))
        splits[split] = _raw_rows(split, rows, mapping, row_fields)
    origin = {
        "source": "hub",
        "repo": options.repo,
        "revision": revision,
        "pinned": options.revision is not None,
        "licence": licence,
    }
    if downloads:
        origin["downloads"] = downloads
    return Fetched(splits, origin)


def _load(repo: str, config: str | None, revision: str) -> "datasets.DatasetDict":
    import datasets

    try:
        loaded = datasets.load_dataset(repo, config, revision=revision)
    except Exception as error:
        # The hub's clients raise dozens of types, and the library hides some of them.
        why = hub.reason(error, repo, "dataset")
        if why is None and isinstance(error, datasets.exceptions.DatasetNotFoundError):
            why = hub.refusal(repo, "dataset")
        raise DataError(f"{why or f'{repo}: {hub.one_line(error)}'} (at {revision})") from error
    # Where the hub does not answer, the library takes the latest data set of its cache, whatever
    # its commit; only the folder's name tells.
    for split, rows in loaded.items():
        if any(revision not in Path(file["filename"]).parts for file in rows.cache_files):
            raise DataError(
                f"{repo}: the hub could not be asked, and what the cache has last of {split} is of "
                f"another commit than {revision}; look at the network, or unset HF_HUB_OFFLINE"
            )
    return loaded


def _mapping(spec: Files | Hub, split: SplitName) -> dict[str, str | list[str]]:
    """Where our fields stand in the rows of a split: as in all of them, but for its own."""
    merged = {**spec.fields, **spec.fields_by_split.get(split, {})}
    return {name: path for name, path in merged.items() if path is not None}


def _raw_rows(
    split: str,
    rows: Iterable[readers.Placed],
    mapping: Mapping[str, str | list[str]],
    row_fields: RowFields,
) -> Iterator[dict[str, Any]]:
    # A list of columns may lack some of them in a row; one that no row has is a slip.
    absent = {path for paths in mapping.values() if isinstance(paths, list) for path in paths}
    has_rows = False
    for place, row in rows:
        if absent and not isinstance(row, str):
            has_rows = True
            absent -= {path for path in absent if fields.at(row, path) is not fields.MISSING}
        yield _raw(split, place, row, mapping, row_fields)
    if has_rows and absent:
        listed = ", ".join(map(repr, sorted(absent)))
        raise DataError(
            f"{split}: no row has {listed}, which a list of columns in the task's config names "
            "(source.….fields)"
        )


def _raw(
    split: str,
    place: str,
    row: Mapping[str, Any] | str,
    mapping: Mapping[str, str | list[str]],
    row_fields: RowFields,
) -> dict[str, Any]:
    """A raw row in our field names; a source without ids gets them from the rows' places."""
    if isinstance(row, str):
        return {"place": place, "broken": row}
    taken = fields.take(row, mapping, list(mapping), row_fields.optional)
    taken = fields.joined(taken, row_fields.joined)
    if "id" not in mapping:
        taken = {"id": f"{split}-{place.split()[-1]}", **taken}
    return {"place": place, **taken}
