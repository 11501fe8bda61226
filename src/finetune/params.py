"""`params.yaml`, typed and validated; a stage sees only the sections that dvc.yaml gives it.

The file is composed from `conf/` (see `finetune params`) and committed. Every stage validates all
of it before it starts, so that a mistake in `lora` is told by the first stage that runs.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from finetune.errors import ParamsError

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
# The names of linear layers in the architectures that people fine-tune.
TARGET_MODULES = (
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "qkv_proj",
    "gate_up_proj", "query_key_value", "dense", "fc1", "fc2", "c_attn", "c_proj", "c_fc",
)  # fmt: skip


class Section(BaseModel):
    """A part of the parameters: unknown keys are refused, numbers are finite and not text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Split = Literal["train", "validation", "test"]


def _has_train_and_test(splits: dict[str, str]) -> dict[str, str]:
    lacking = {"train", "test"} - splits.keys()
    if lacking:
        raise ValueError(f"lacks {' and '.join(sorted(lacking))}; only validation can be made")
    return splits


Splits = Annotated[dict[Split, str], AfterValidator(_has_train_and_test)]


class Hub(Section):
    """A data set of the Hugging Face hub, pinned to a commit."""

    repo: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    config: str | None = None
    splits: Splits
    fields: dict[str, str]


class Files(Section):
    """Files in one folder of `data.root`; `fields` maps our names to theirs."""

    folder: str
    splits: Splits
    fields: dict[str, str]


class TaskSource(Section):
    """Where a task's rows come from, for each value of `data.source`."""

    embedded: Literal["dialogues", "products"] | None
    files: Files
    hub: Hub | None
    licence: str


def _check_fields(source: TaskSource, known: set[str]) -> None:
    for name, mapped in (("files", source.files), ("hub", source.hub)):
        unknown = (mapped.fields.keys() if mapped else set()) - known
        if unknown:
            raise ValueError(
                f"source.{name}.fields: {', '.join(sorted(unknown))} is not a field of a row; "
                f"known: {', '.join(sorted(known))}"
            )


class Prompt(Section):
    """How a row becomes a prompt: one place for training and inference."""

    instruction: str
    cue: str
    max_tokens: Annotated[int, Field(ge=16)]
    max_completion_tokens: Count


class SummaryScore(Section):
    """Scoring options of summaries."""

    stemmer: bool


class SummaryEval(Section):
    """How the model is asked for a summary."""

    batch_size: Count
    decode: Literal["greedy"]


class PriceEval(Section):
    """How the model is asked for a price."""

    batch_size: Count
    estimate: Literal["median", "greedy"]


class PriceScore(Section):
    """Scoring options of prices: what counts as a hit."""

    hit_usd: Annotated[float, Field(gt=0)]
    hit_share: Annotated[float, Field(gt=0)]


class SummarizationTask(Section):
    """A data set of dialogues, or other texts, with summaries."""

    kind: Literal["summarization"]
    source: TaskSource
    prompt: Prompt
    ladder: list[Literal["lead3", "longest3"]]
    eval: SummaryEval
    score: SummaryScore

    @model_validator(mode="after")
    def _fields_are_known(self) -> Self:
        _check_fields(self.source, {"id", "dialogue", "summary"})
        return self


class PriceTask(Section):
    """A data set of descriptions with a price in USD."""

    kind: Literal["price"]
    source: TaskSource
    prompt: Prompt
    ladder: list[Literal["mean", "median", "ridge", "ridge_log"]]
    eval: PriceEval
    score: PriceScore

    @model_validator(mode="after")
    def _fields_are_known(self) -> Self:
        _check_fields(self.source, {"id", "text", "price", "category"})
        return self


class Rows(Section):
    """A number of rows for each split."""

    train: Count
    validation: Count
    test: Count


class Limit(Section):
    """At most so many rows of each split, a seeded subset; null for all."""

    train: Count | None
    validation: Count | None
    test: Count | None


class Embedded(Section):
    """The synthetic corpora."""

    rows: Rows
    seed: int


class Data(Section):
    """Where rows come from, and what is done to them."""

    source: Literal["embedded", "files", "hub"]
    root: str | None
    watch: str
    embedded: Embedded
    limit: Limit
    max_bad_share: Share
    validation_share: Annotated[float, Field(gt=0, lt=0.5)]
    seed: int

    @model_validator(mode="after")
    def _root_is_given(self) -> Self:
        if self.source == "files" and not self.root:
            raise ValueError("root: is not set; give the folder: -S data=files -S data.root=DIR")
        return self


class Model(Section):
    """The base model."""

    name: str
    source: Literal["local", "hub"]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    watch: str

    @model_validator(mode="after")
    def _hub_is_pinned(self) -> Self:
        if self.source == "hub" and self.revision is None:
            raise ValueError("revision: is not set; a hub model is pinned to a full commit SHA")
        return self


class Method(Section):
    """How the base model is held in memory while its adapter is trained and used."""

    quantization: Literal["nf4", "none"]
    double_quantization: bool
    compute_dtype: Literal["auto", "float32", "bfloat16"]


class Lora(Section):
    """The adapter."""

    r: Annotated[int, Field(ge=1, le=1024)]
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    target_modules: str | list[str]

    @field_validator("target_modules")
    @classmethod
    def _modules_are_known(cls, value: str | list[str]) -> str | list[str]:
        if value == "all-linear" or (value and set(value) <= set(TARGET_MODULES)):
            return value
        raise ValueError(
            f"is {value!r}, must be all-linear or a list of {', '.join(TARGET_MODULES)}"
        )


class Train(Section):
    """The optimization."""

    epochs: Annotated[float, Field(gt=0)]
    max_steps: Count | None
    batch_size: Count
    micro_batch_size: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    warmup_share: Annotated[float, Field(ge=0, lt=1)]
    schedule: Literal["cosine", "linear", "constant_with_warmup"]
    weight_decay: Annotated[float, Field(ge=0)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    evaluations: Count
    number_loss: Annotated[float, Field(ge=0)]
    seed: int

    @model_validator(mode="after")
    def _batch_divides(self) -> Self:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"micro_batch_size: is {self.micro_batch_size}, "
                f"must divide batch_size ({self.batch_size})"
            )
        return self


class Bootstrap(Section):
    """Confidence intervals."""

    resamples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: int


class Params(Section):
    """All of `params.yaml`."""

    tasks: Annotated[
        dict[str, Annotated[SummarizationTask | PriceTask, Field(discriminator="kind")]],
        Field(min_length=1),
    ]
    data: Data
    model: Model
    method: Method
    lora: Lora
    train: Train
    bootstrap: Bootstrap


def read(path: Path) -> Params:
    """The validated parameters of a file.

    OmegaConf reads numbers such as `1e-05` as numbers, where PyYAML makes text of them.

    Raises:
        ParamsError: the file is missing or not YAML, or a key is unknown or its value not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: byte {error.start}: not UTF-8") from None
    except FileNotFoundError:
        raise ParamsError(f"{path}: not found; run `finetune params` to compose it") from None
    return validate_text(text, str(path))


def validate_text(text: str, where: str) -> Params:
    """The parameters of a params.yaml's text; see `read`."""
    return validate(read_yaml(text, where), where)


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """The values of a params.yaml's text, not validated; see `read`."""
    try:
        config = OmegaConf.create(text)
    except (OmegaConfBaseException, yaml.YAMLError, AssertionError) as error:
        raise ParamsError(f"{where}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(config, DictConfig):
        raise ParamsError(f"{where}: holds no sections; run `finetune params` to compose it")
    return OmegaConf.to_container(config, resolve=False)


def validate(values: Any, where: str) -> Params:
    """The parameters of a plain dictionary; `where` names its origin in messages."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        # A field of two types gives an error for each; one message a key says enough.
        told = {_key(detail): _what(detail, values) for detail in error.errors()}
        mistakes = "; ".join(_joined(key, what) for key, what in told.items())
        raise ParamsError(f"{where}: {mistakes}") from None


def _key(detail: ErrorDetails) -> str:
    """`tasks.price.eval.estimate`: the location without the names of union members."""
    location = [str(part) for part in detail["loc"]]
    if location[:1] == ["tasks"] and len(location) > 2:
        del location[2]  # the kind that chose the member of the union
    return ".".join(part for part in location if part not in ("str", "list[str]"))


def _joined(key: str, what: str) -> str:
    """Key and message; a check of a whole section names the key within it by itself."""
    is_named = re.match(r"[\w.]+: ", what)
    return f"{key}{'.' if is_named else ': '}{what}" if key else what


def _what(detail: ErrorDetails, values: Any) -> str:
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"is not a parameter; known here: {', '.join(_siblings(detail, values))}"
        case "union_tag_not_found":
            return "kind: is missing"
        case "union_tag_invalid":
            return f"kind: is {detail['ctx']['tag']!r}, must be {detail['ctx']['expected_tags']}"
        case _:
            # "Input should be a valid integer", "String should match pattern …"
            said = detail["msg"].partition(" should ")[2] or detail["msg"]
            return f"is {detail['input']!r}, must {said}"


def _siblings(detail: ErrorDetails, values: Any) -> list[str]:
    """The names that the section of an unknown key does know."""
    model: Any = Params
    for part in _key(detail).split(".")[:-1]:
        values = values.get(part) if isinstance(values, dict) else None
        if model is Params and part == "tasks":
            model = dict
        elif model is dict:
            kind = values.get("kind") if isinstance(values, dict) else None
            model = PriceTask if kind == "price" else SummarizationTask
        else:
            annotation = model.model_fields[part].annotation
            members = [annotation, *getattr(annotation, "__args__", ())]
            model = next(m for m in members if isinstance(m, type) and issubclass(m, Section))
    return list(model.model_fields)


class UndeclaredParameter(AttributeError):
    """A stage reads a parameter that dvc.yaml does not declare for it."""


class Declared:
    """The parameters that dvc.yaml declares for one stage; reading another one raises.

    `declared.task` is the task that the stage runs for.
    """

    def __init__(self, params: Params, stage: str, keys: list[str], task: str | None) -> None:
        self._values: Any = params
        self._stage, self._keys, self._task, self._path = stage, keys, task, ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "task" and not self._path and self._task is not None:
            return self.__getattr__("tasks").__getattr__(self._task)
        path = f"{self._path}.{name}".lstrip(".")
        values = self._values
        value = values[name] if isinstance(values, dict) else getattr(values, name)
        if any(path == key or path.startswith(f"{key}.") for key in self._keys):
            return value
        if any(key.startswith(f"{path}.") for key in self._keys):
            inner = Declared(value, self._stage, self._keys, self._task)
            inner._path = path
            return inner
        raise UndeclaredParameter(
            f"stage {self._stage} reads {path}, which dvc.yaml does not list in its params"
        )


def for_stage(stage: str, task: str | None, root: Path = Path()) -> Declared:
    """Validate `params.yaml` under `root`, and give what dvc.yaml declares for `stage`.

    Raises:
        ParamsError: see `read`; also for a task that the parameters do not hold.
    """
    params = read(root / "params.yaml")
    if task is not None and task not in params.tasks:
        raise ParamsError(f"tasks: no task {task!r}; known: {', '.join(params.tasks)}")
    return Declared(params, stage, declared_keys(root / "dvc.yaml", stage, task), task)


def declared_keys(dvc_yaml: Path, stage: str, task: str | None) -> list[str]:
    """What dvc.yaml lists under `params` for a stage, with the task's name filled in."""
    entry = yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))["stages"][stage]
    keys = entry.get("do", entry).get("params", [])
    return [key.replace("${key}", task or "*") for key in keys]
