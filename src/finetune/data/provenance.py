"""Whether what was read is what should have been: hashes that a config pins, and earlier ones."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from finetune.core import hub
from finetune.core.errors import DataError, FileError
from finetune.core.files import read_json, sha256

Item = TypeVar("Item")
# How `datasets` names a file of a repository at a commit.
FILE_OF_HUB = re.compile(r"hf://datasets/(?P<repo>[^@]+)@(?P<revision>[^/]+)/(?P<path>.+)")


def check_pin(where: str, actual: str, pinned: str | None) -> None:
    """See that a file has the SHA-256 that the task's config pins, if it pins one.

    Raises:
        DataError: it has another.
    """
    if pinned is not None and actual != pinned:
        raise DataError(
            f"{where}: its sha256 is {actual}, and the task's config pins {pinned} (sha256): it is "
            "another file, or not all of it; get it again, or pin what it is now"
        )


def unchanged(path: Path, rows: Iterable[Item], since: tuple[int, int]) -> Iterator[Item]:
    """The rows of a file, if it stays as it was: see `state`.

    Raises:
        DataError: after the last row, if the file was written to meanwhile.
    """
    yield from rows
    if state(path) != since:
        raise DataError(
            f"{path}: was written to while it was read; when that has ended, run the same command "
            "again"
        )


def state(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a file, by which a change of it is noticed."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def earlier(path: Path) -> dict[str, Any]:
    """What a `source.json` says of an earlier fetch; nothing where there is none, or half of it."""
    try:
        origin = read_json(path)
    except (FileError, OSError):
        return {}
    return origin if isinstance(origin, dict) else {}


def downloads(repo: str, config: str | None, revision: str) -> dict[str, dict[str, int | str]]:
    """The files of the hub that a data set is made of: bytes and SHA-256 by path.

    They are in the cache once it is loaded. None are known where the hub does not say which.

    Raises:
        DataError: one of them cannot be read.
    """
    import datasets
    from huggingface_hub import hf_hub_download

    files: dict[str, dict[str, int | str]] = {}
    try:
        builder = datasets.load_dataset_builder(repo, config, revision=revision)
        urls = [url for split in (builder.config.data_files or {}).values() for url in split]
        for match in map(FILE_OF_HUB.fullmatch, dict.fromkeys(map(str, urls))):
            if match is None or match["repo"] != repo:
                continue
            path = match["path"]
            cached = Path(hf_hub_download(repo, path, repo_type="dataset", revision=revision))
            files[path] = {"bytes": cached.stat().st_size, "sha256": sha256(cached)}
    except Exception as error:  # the hub's clients raise dozens of types
        why = hub.reason(error, repo, "dataset") or f"{repo}: {hub.one_line(error)}"
        raise DataError(f"{why} (at {revision})") from None
    return dict(sorted(files.items()))


def check_downloads(
    files: Mapping[str, Mapping[str, int | str]],
    pins: Mapping[str, str],
    repo: str,
    revision: str,
    earlier: Mapping[str, Any],
) -> None:
    """See that the files of a data set are those that are pinned, and those of the last fetch.

    `earlier` is that one's `source.json`: at one commit a file cannot have become another one.

    Raises:
        DataError: a file is another one, or one that is pinned was not among them.
    """
    if unknown := [path for path in pins if path not in files]:
        raise DataError(
            f"{repo}: source.hub.sha256 pins {unknown[0]!r}, which the splits are not made of; "
            f"they are made of {', '.join(files) or 'files that are not known'}"
        )
    for path, file in files.items():
        check_pin(f"{repo}: {path} (at {revision})", str(file["sha256"]), pins.get(path))
    if (earlier.get("repo"), earlier.get("revision")) != (repo, revision):
        return
    for path, file in earlier.get("downloads", {}).items():
        now = files.get(path, {}).get("sha256")
        if now not in (None, file["sha256"]):
            raise DataError(
                f"{repo}: {path} (at {revision}) is not what it was when it was fetched before: "
                f"its sha256 is {now}, and was {file['sha256']}; a commit does not change, so see "
                "who answers for the hub here, or remove data/raw to take it as it is"
            )
