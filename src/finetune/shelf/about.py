"""`about.json` of a shelved run: where it comes from, and what it took."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finetune.core.errors import UserError
from finetune.core.files import read_json

FILE = "about.json"
FORMAT = 1
MAX_NOTE = 500  # characters


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Digest(_Strict):
    """Hashes of a task's questions and of the tuned predictions, of what they were with texts.

    The ledger of looks knows runs by them, so that a shelved run and its revision are the same.
    """

    rows: str = Field(pattern="^[0-9a-f]{12}$")
    predictions: str = Field(pattern="^[0-9a-f]{12}$")


class Stage(_Strict):
    """MD5 hashes of what a stage read and wrote, by path, as dvc.lock has them."""

    deps: dict[str, str]
    outs: dict[str, str]


class Code(_Strict):
    """The code of a run: its commit, and a hash of the tracked files below src/.

    `date` is the commit's. `is_changed`: files below src/ differed from the commit.
    """

    commit: str
    date: str
    src: str
    is_changed: bool = False


class Task(_Strict):
    """Of a task: its kind, hashes by dvc.lock, minutes of the stages, and what they cost in USD.

    None for what is not known. `digests` are by split, `minutes` and `usd` by stage.
    """

    kind: str
    data_raw: str | None
    data_prepared: str | None
    model: str | None
    adapter: str | None
    device: str | None
    minutes: dict[str, float | None]
    usd: dict[str, float | None]
    digests: dict[str, Digest]


class Packages(_Strict):
    """Versions of packages, `installed` here, or `pinned` by the revision's requirements.txt."""

    known_as: str
    python: str | None
    versions: dict[str, str]


class About(_Strict):
    """What is known of a shelved run; `files` are the SHA-256 of all others in its folder.

    `left_out` names what stands in the run's metric files and not here.
    """

    format: int
    note: str | None = Field(default=None, max_length=MAX_NOTE)
    code: Code
    command: str
    tasks: dict[str, Task]
    packages: Packages
    stages: dict[str, Stage]
    left_out: dict[str, list[str]]
    files: dict[str, str]


def read(folder: Path, shown: str) -> About:
    """The description of a shelved run.

    Raises:
        UserError: there is none, or it is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        raise UserError(f"{shown}: is no shelved run, since it has no {FILE}")
    try:
        about = About.model_validate(read_json(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{shown}/{FILE}: {where or 'the file'}: {first['msg']}; `git checkout` restores it"
        ) from None
    if about.format != FORMAT:
        raise UserError(
            f"{shown}/{FILE}: format {about.format}, this version reads {FORMAT}; shelve the run "
            "again with `finetune shelve --force`"
        )
    return about
