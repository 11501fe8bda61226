"""Parameters of where a task's rows come from: the hub, files, generators, and their fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from finetune.core.data_params import Augment, Curate, Sha256
from finetune.core.section import Section

Split = Literal["train", "validation", "test"]
# What a source calls the split that `prepare` is to draw all three from.
ALL = "all"
SplitName = Split | Literal["all"]


def _are_enough(splits: dict[str, str]) -> dict[str, str]:
    if ALL in splits:
        if len(splits) > 1:
            raise ValueError(f"has {ALL} and others; {ALL} alone is split by prepare")
        return splits
    lacking = {"train", "test"} - splits.keys()
    if lacking:
        raise ValueError(
            f"lacks {' and '.join(sorted(lacking))}; validation is made from train, "
            f"and all three from one source of rows called {ALL}"
        )
    return splits


def _are_train_alone(splits: dict[str, str]) -> dict[str, str]:
    if splits.keys() != {"train"}:
        raise ValueError(
            "must be {train: …} alone: rows that are mixed in are for training, those of the other "
            "splits are the task's own"
        )
    return splits


def _without_nulls(splits: Any) -> Any:
    """A config that extends another cannot take a split away otherwise."""
    if not isinstance(splits, dict):
        return splits
    return {split: name for split, name in splits.items() if name is not None}


Splits = Annotated[
    dict[SplitName, str], BeforeValidator(_without_nulls), AfterValidator(_are_enough)
]
TrainSplit = Annotated[dict[SplitName, str], AfterValidator(_are_train_alone)]
# Our field → where it stands in a row: a column, a dotted path, or several that each hold a text.
Fields = dict[str, str | list[str]]
# What differs in some split; null where it has no such field.
FieldsBySplit = dict[SplitName, dict[str, str | list[str] | None]]

# Hashes of files by their names.
Hashes = dict[str, Sha256]
# A module of src/synthetic/rows.
GeneratorName = Annotated[str, Field(pattern=r"^[a-z]\w*$")]


class Hub(Section):
    """A data set of the Hugging Face hub; without a `revision`, `fetch` takes the newest commit.

    `sha256` pins files of the repository by their paths: others are refused.
    """

    repo: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    config: str | None = None
    splits: Splits
    fields: Fields
    fields_by_split: FieldsBySplit = Field(default_factory=dict)
    sha256: Hashes = Field(default_factory=dict)


class Guesses(Section):
    """Somebody's answers to some of the test rows, in a file beside the splits.

    `id` and `guess` are the columns of a row's id and of the answer to it.
    """

    file: str
    id: str
    guess: str
    source: str


class Files(Section):
    """Files in one folder of `data.root`; `fields` maps our names to theirs.

    `delimiter` stands between the cells of CSV files. `guesses` are files of answers that need not
    be there, each by the name of its baseline. `sha256` pins files by their names: others are
    refused.
    """

    folder: str
    splits: Splits
    fields: Fields
    fields_by_split: FieldsBySplit = Field(default_factory=dict)
    delimiter: Literal[",", ";", "\t", "|"] = ","
    guesses: dict[Annotated[str, Field(pattern=r"^\w+$")], Guesses] = Field(default_factory=dict)
    sha256: Hashes = Field(default_factory=dict)

    @model_validator(mode="after")
    def _pins_are_of_files(self) -> Self:
        files = {*self.splits.values(), *(guesses.file for guesses in self.guesses.values())}
        if unknown := sorted(self.sha256.keys() - files):
            raise ValueError(
                f"sha256: {unknown[0]!r:.60} is none of the files: {', '.join(sorted(files))}"
            )
        return self


class MixedHub(Hub):
    """A split of a data set of the hub, to train on."""

    splits: TrainSplit


class MixedFiles(Files):
    """A file of `data.root`, to train on; it is pinned, as DVC may not watch it."""

    splits: TrainSplit

    @model_validator(mode="after")
    def _is_pinned(self) -> Self:
        if self.guesses:
            raise ValueError("guesses: are answers to test rows, of which there are none here")
        if unpinned := sorted(set(self.splits.values()) - self.sha256.keys()):
            raise ValueError(
                f"sha256: lacks {unpinned[0]!r:.60}; `sha256sum` prints it: a file that is mixed "
                "in is pinned, since `data.watch` may not be its folder"
            )
        return self


class MixedSource(Section):
    """A further source of train rows, so many (`weight`) for one of the task's own.

    It is one of three, whatever `data.source` says: the embedded generator of that name, a file or
    a data set of the hub.
    """

    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    embedded: GeneratorName | None = None
    files: MixedFiles | None = None
    hub: MixedHub | None = None
    licence: str

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(each is not None for each in (self.embedded, self.files, self.hub)) != 1:
            raise ValueError("must have one of embedded, files and hub")
        return self

    @property
    def which(self) -> Literal["embedded", "files", "hub"]:
        """The one that it is, as in `data.source`."""
        if self.embedded is not None:
            return "embedded"
        return "hub" if self.files is None else "files"


class TaskSource(Section):
    """Where a task's rows come from, for each value of `data.source`, and which are taken.

    `mix` has further sources of train rows by their names; the other splits are of the task's own.
    """

    embedded: GeneratorName | None
    files: Files
    hub: Hub | None
    licence: str
    curate: Curate | None = None
    augment: Augment | None = None
    mix: dict[Annotated[str, Field(pattern=r"^[a-z]\w*$")], MixedSource] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _mixed_are_no_splits(self) -> Self:
        if taken := sorted(self.mix.keys() & {*get_args(Split), ALL}):
            raise ValueError(f"mix: {taken[0]} is a split's name; give the source another one")
        return self


@dataclass(frozen=True)
class RowFields:
    """The fields of a kind's raw rows, by name.

    `input` is the one that the model reads, and below it those of `below_input`. Of `required` and
    `optional` ones, `several` may be mapped to a list of columns, whose texts are then a list; so
    may `joined`, whose are one text.
    """

    input: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()
    joined: frozenset[str] = frozenset()
    below_input: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        """All that the model reads, in its order."""
        return (self.input, *self.below_input)


def check_fields(source: TaskSource, fields: RowFields) -> None:
    """See that `source` maps every required field, and none that its kind does not know.

    Raises:
        ValueError: it does not; the message names the key.
    """
    known = {"id", *fields.required, *fields.optional}
    specs: list[tuple[str, Files | Hub | None]] = [("files", source.files), ("hub", source.hub)]
    for name, part in source.mix.items():
        specs += [(f"mix.{name}.files", part.files), (f"mix.{name}.hub", part.hub)]
    for name, spec in specs:
        if spec is None:
            continue
        key = f"source.{name}.fields"
        for where, mapping in ((key, spec.fields), *_by_split(key, spec)):
            unknown = mapping.keys() - known
            if unknown:
                raise ValueError(
                    f"{where}: {', '.join(sorted(unknown))} is not a field of a row; "
                    f"known: {', '.join(sorted(known))}"
                )
            for field, path in mapping.items():
                if isinstance(path, list) and field not in fields.several | fields.joined:
                    raise ValueError(f"{where}.{field}: is a list, must be one path")
                if path is not None and not (path and all(path)):
                    raise ValueError(f"{where}.{field}: is {path!r}, must name a column")
        for split in spec.splits:
            own = spec.fields_by_split.get(split, {})
            lacking = {f for f in fields.required if {**spec.fields, **own}.get(f) is None}
            if lacking:
                raise ValueError(
                    f"{key}: lacks {' and '.join(sorted(lacking))} for {split}; say where it stands"
                )


def _by_split(key: str, spec: Files | Hub) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for split, fields in spec.fields_by_split.items():
        if split not in spec.splits:
            raise ValueError(f"{key}_by_split: {split} is not one of the splits")
        yield f"{key}_by_split.{split}", fields
