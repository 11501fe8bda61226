"""`finetune shelve NAME`: put a run into results/NAME, without any text of its data."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from finetune.comparing import runs
from finetune.comparing.runs import Run
from finetune.comparing.sources import Source
from finetune.composition import flat
from finetune.core import lock as lock_file
from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import parse_json, replaced_folder, write_json, write_text
from finetune.core.params import read_yaml
from finetune.shelf import about, origin, public, rows
from finetune.shelf.about import About

METRICS = ("data", "baselines", "base", "train", "predict", "predict_base", "tuned")
MODELS = ("base", "few_shot", "tuned")
SPLITS: tuple[runs.Split, ...] = ("validation", "test")
# The stages that load a model: what they took is known, and paid for.
TIMED = {"train": "train", "predict": "predict", "base": "predict_base"}
# A text of the data with fewer words may stand anywhere by chance, such as "I do not know".
MIN_WORDS = 5


@dataclass
class _Shelved:
    """The files of a run as they will be shelved, by path; what is left out of its metrics.

    `texts` are those of the data and of answers, which may stand in no file.
    """

    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)


def shelve(
    root: Path, name: str, revision: str, note: str | None = None, is_forced: bool = False
) -> Path:
    """Write `results/<name>/` for the workspace or a revision; returns the folder.

    Raises:
        UserError: the name is taken or no name, the run is incomplete or is not that of its
            parameters, or what would be written holds text of the data.
    """
    folder = _folder(root, name, is_forced)
    if note and len(note) > about.MAX_NOTE:
        raise UserError(
            f"--note: has {len(note)} characters, must have at most {about.MAX_NOTE}; say the rest "
            "in the commit's message"
        )
    by_split = {split: runs.read(root, revision, split) for split in SPLITS}
    run = by_split["test"]
    source = _verified(runs.source_of(root, revision), revision)
    shelved = _Shelved()
    params = public.params(read_yaml(source.text("params.yaml"), "params.yaml"))
    shelved.files["params.yaml"] = yaml.safe_dump(params, sort_keys=False, allow_unicode=True)
    for task, kind in run.kinds.items():
        _metrics(shelved, source, revision, task)
        _curves(shelved, source, revision, task)
        _rows(shelved, source, revision, task, kind)
    described = About(
        format=about.FORMAT,
        note=note,
        code=origin.code(root, source.commit),
        command=origin.command(root, folder, source.commit, params),
        tasks={task: _task(by_split, source, task) for task in run.kinds},
        packages=origin.packages(source),
        stages=origin.stages(source, revision),
        left_out=shelved.left_out,
        files={
            path: hashlib.sha256(text.encode()).hexdigest()
            for path, text in sorted(shelved.files.items())
        },
    )
    _check_public(root, shelved, described)
    with replaced_folder(folder) as new:
        for path, text in shelved.files.items():
            write_text(new / path, text)
        write_json(new / about.FILE, described.model_dump())
    return folder


def _verified(source: Source, revision: str) -> Source:
    """The source, whose files that dvc.lock knows must be those of the run that wrote them.

    `text` raises a UserError where one is not.
    """
    lock = lock_file.stages(source.text("dvc.lock"), f"dvc.lock of {revision}")
    written = {out["path"]: out.get("md5") for of in lock.values() for out in of.get("outs", [])}

    def text(path: str) -> str:
        content = source.text(path)
        runs.check_written(revision, path, content, written)
        return content

    return replace(source, text=text)


def _folder(root: Path, name: str, is_forced: bool) -> Path:
    """Where a run is shelved.

    Raises:
        UserError: the name is taken, or is none.
    """
    is_name = name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    if not (is_name and name.isascii()) or name.startswith((".", "-")) or name == "README.md":
        raise UserError(
            f"{name!r:.60}: a name on the shelf is of letters, digits, -, _ and ., as samsum-r16"
        )
    folder = root / paths.shelf() / name
    if folder.exists() and not is_forced:
        raise UserError(f"{paths.shelf() / name}: is there already; --force replaces it")
    return folder


def _metrics(shelved: _Shelved, source: Source, revision: str, task: str) -> None:
    there = source.names((Path("metrics") / task).as_posix())
    for name in METRICS:
        path = paths.metrics(task, name).as_posix()
        if Path(path).name not in there:
            continue
        value = parse_json(source.text(path), f"{revision}: {path}")
        kept, left_out = public.metrics(value)
        shelved.files[path] = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
        if left_out:
            shelved.left_out[path] = sorted(set(left_out))


def _curves(shelved: _Shelved, source: Source, revision: str, task: str) -> None:
    folder = paths.curves(task).as_posix()
    for name in source.names(folder):
        path = f"{folder}/{name}"
        if path.endswith(".tsv"):
            text = source.text(path)
            public.check_curve(text, f"{revision}: {path}")
            shelved.files[path] = text


def _rows(shelved: _Shelved, source: Source, revision: str, task: str, kind: str) -> None:
    """The scores of all models, baselines and general texts, row by row."""
    fields = rows.fields(kind)
    for path, allowed in _row_files(source, task, fields):
        where = f"{revision}: {path}"
        read = runs.parse_jsonl(source.text(path), where)
        table = [rows.reduced(row, allowed, where) for row in read]
        if len({row[rows.ID] for row in table}) != len(table):
            raise UserError(f"{where}: two rows have one id, so that they cannot be paired")
        shelved.files[Path(path).with_suffix(".tsv").as_posix()] = rows.as_table(table)
        if allowed is fields:
            shelved.texts |= {text for row in read for text in _texts(row)}


def _row_files(
    source: Source, task: str, fields: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """The files of scored rows that a run has, each with the fields that may be shelved."""
    for split in SPLITS:
        scored = {name: paths.scored(task, name, split) for name in MODELS}
        there = source.names(scored["tuned"].parent.as_posix())
        for path in scored.values():
            if path.name in there:
                yield path.as_posix(), fields
        folder = paths.baselines(task, split).as_posix()
        for name in source.names(folder):
            if name.endswith(".jsonl"):
                yield f"{folder}/{name}", fields
    for name in ("base", "tuned"):
        path = paths.general(task, name)
        if path.name in source.names(path.parent.as_posix()):
            yield path.as_posix(), frozenset(rows.GENERAL)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a row, however nested, that are long enough to be recognized."""
    if isinstance(value, str):
        if len(value.split()) >= MIN_WORDS:
            yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _task(by_split: Mapping[runs.Split, Run], source: Source, task: str) -> about.Task:
    run = by_split["test"]
    lock = lock_file.stages(source.text("dvc.lock"), "dvc.lock")
    params = flat(source.text("params.yaml"))
    minutes = {stage: _of_run(source, task, name, "minutes") for stage, name in TIMED.items()}
    rate = params.get("run.usd_per_hour")
    device = _of_run(source, task, "train", "device")
    return about.Task(
        kind=run.kinds[task],
        data_raw=origin.md5(lock, f"fetch@{task}", "outs", paths.raw(task).as_posix()),
        data_prepared=origin.md5(lock, f"prepare@{task}", "outs", paths.prepared(task).as_posix()),
        model=origin.md5(lock, f"train@{task}", "deps", str(params.get("model.watch"))),
        adapter=origin.md5(lock, f"train@{task}", "outs", paths.adapter(task).as_posix()),
        device=device if public.is_device(device) else None,
        minutes=minutes,
        usd={stage: _usd(each, rate) for stage, each in minutes.items()},
        digests={split: each.digest(task) for split, each in by_split.items()},
    )


def _usd(minutes: float | None, per_hour: object) -> float | None:
    if minutes is None or not isinstance(per_hour, int | float):
        return None
    return round(minutes / 60 * per_hour, 4)


def _of_run(source: Source, task: str, name: str, key: str) -> Any:
    """A value of the section `run` of a metric file; None where it has none."""
    path = paths.metrics(task, name).as_posix()
    try:
        return parse_json(source.text(path), path)[task][name].get("run", {}).get(key)
    except (UserError, KeyError, TypeError, AttributeError):
        return None


def _check_public(root: Path, shelved: _Shelved, described: About) -> None:
    """Check the files as they will be published.

    Raises:
        UserError: one holds a text of the data or of an answer, or a folder of this machine.
    """
    files = {**shelved.files, about.FILE: described.model_dump_json()}
    folders = {str(Path.home()), str(root.resolve())} - {"/"}
    for path, text in files.items():
        if path.endswith(".tsv"):
            continue  # of ids, hashes and numbers, each of which was checked
        if any(folder in text for folder in folders):
            raise UserError(f"{path}: holds a folder of this machine; nothing was shelved")
        # Also as JSON has it, with line ends and quotation marks escaped.
        if any(one in text or json.dumps(one)[1:-1] in text for one in shelved.texts):
            raise UserError(f"{path}: holds a text of the data; nothing was shelved")
