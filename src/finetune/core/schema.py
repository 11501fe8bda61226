"""What `params.yaml` may hold: its sections, typed, with what each value must be.

`finetune.core.params` reads a file into these, and hands a stage those that dvc.yaml declares.
A kind of task has parameters of its own: see `Task`, and `options.py` in the kind's folder.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A part of the parameters: unknown keys are refused, numbers are finite and not text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


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


Splits = Annotated[dict[SplitName, str], AfterValidator(_are_enough)]
# Our field → where it stands in a row: a column, a dotted path, or several that each hold a text.
Fields = dict[str, str | list[str]]
# What differs in some split; null where it has no such field.
FieldsBySplit = dict[SplitName, dict[str, str | list[str] | None]]


class Hub(Section):
    """A data set of the Hugging Face hub; without a `revision`, `fetch` takes the newest commit."""

    repo: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    config: str | None = None
    splits: Splits
    fields: Fields
    fields_by_split: FieldsBySplit = {}


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
    be there, each by the name of its baseline.
    """

    folder: str
    splits: Splits
    fields: Fields
    fields_by_split: FieldsBySplit = {}
    delimiter: Literal[",", ";", "\t", "|"] = ","
    guesses: dict[Annotated[str, Field(pattern=r"^\w+$")], Guesses] = {}


class TaskSource(Section):
    """Where a task's rows come from, for each value of `data.source`."""

    embedded: Annotated[str, Field(pattern=r"^[a-z]\w*$")] | None
    files: Files
    hub: Hub | None
    licence: str


@dataclass(frozen=True)
class RowFields:
    """The fields of a kind's raw rows, by name.

    `input` is the one that the model reads. Of `required` and `optional` ones, `several` may be
    mapped to a list of columns, whose texts are then a list.
    """

    input: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()


def _check_fields(source: TaskSource, fields: RowFields) -> None:
    """See that `source` maps every required field, and none that its kind does not know.

    Raises:
        ValueError: it does not; the message names the key.
    """
    known = {"id", *fields.required, *fields.optional}
    for name, spec in (("files", source.files), ("hub", source.hub)):
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
                if isinstance(path, list) and field not in fields.several:
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


class Prompt(Section):
    """How a row becomes a prompt: one place for training and inference."""

    instruction: str
    cue: str
    max_tokens: Annotated[int, Field(ge=16)]
    max_completion_tokens: Count


class Score(Section):
    """How predictions are scored; a kind adds its own options.

    A model with a larger fraction of rows without an answer than `max_no_answer` has no scores.
    """

    max_no_answer: Fraction = 0.05


class Eval(Section):
    """How a model is asked; few-shot prompts hold `shots` examples of train, drawn with `seed`.

    What is drawn is drawn `draws` times, the k-th from `seed` + k, k from 0 on.
    """

    shots: Annotated[int, Field(ge=0)]
    seed: Seed
    draws: Count = 1

    @property
    def is_random(self) -> bool:
        """Whether answers depend on `seed`, without any examples; a kind that samples overrides."""
        return False


class TextEval(Eval):
    """How a model is asked for a text.

    `beams` belongs to `beam`; `samples` and `temperature` to `mbr`, `temperature` to `sample` too.
    """

    decode: Literal["greedy", "beam", "sample", "mbr"]
    beams: Annotated[int, Field(ge=2)]
    samples: Annotated[int, Field(ge=2)]
    temperature: Annotated[float, Field(gt=0)]

    @property
    def is_random(self) -> bool:
        """Whether tokens are sampled."""
        return self.decode in ("sample", "mbr")


class EvalDefaults(Section):
    """What every task's `eval` starts from."""

    draws: Count


class Published(Section):
    """A figure of somebody else's, with where it stands and how it was measured."""

    name: str
    source: str
    protocol: str
    scores: Annotated[dict[str, float], Field(min_length=1)]


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


# The least probability with which a pair at the threshold must be found.
MIN_RECALL = 0.98


class NearDuplicates(Section):
    """What counts as nearly the same text: the Jaccard similarity of shingles of some words.

    From `threshold` on two texts are near-duplicates; null: they are not looked for. A MinHash of
    `permutations` values is cut into `bands`; texts that agree in a whole band are compared.
    """

    threshold: Annotated[float, Field(gt=0, le=1)] | None
    shingle_words: Count
    permutations: Annotated[int, Field(ge=16, le=1024)]
    bands: Count

    @model_validator(mode="after")
    def _bands_find_the_pairs(self) -> Self:
        if self.permutations % self.bands:
            raise ValueError(f"bands: is {self.bands}, must divide permutations")
        if self.threshold is None:
            return self
        rows = self.permutations // self.bands
        recall = 1 - (1 - self.threshold**rows) ** self.bands
        if recall < MIN_RECALL:
            raise ValueError(
                f"bands: {self.bands} bands of {rows} find {recall:.0%} of the pairs at the "
                f"threshold, must find {MIN_RECALL:.0%}: set more bands"
            )
        return self


class Data(Section):
    """Where rows come from, and what is done to them."""

    source: Literal["embedded", "files", "hub"]
    root: str | None
    watch: str
    embedded: Embedded
    limit: Limit
    max_bad_rate: Fraction
    near_duplicates: NearDuplicates
    test_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    seed: int

    @model_validator(mode="after")
    def _root_is_given(self) -> Self:
        if self.source == "files" and not self.root:
            raise ValueError("root: is not set; give the folder: -S data=files -S data.root=DIR")
        return self


class Model(Section):
    """The base model.

    A hub model without a `revision` may stand in a config; no stage starts with it.
    """

    name: str
    source: Literal["local", "hub"]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    watch: str


class Precision(Section):
    """How the base model is held in memory while it is trained on and used."""

    quantization: Literal["nf4", "int8", "none"]
    double_quantization: bool
    compute_dtype: Literal["auto", "float32", "bfloat16", "float16"]

    @property
    def is_quantized(self) -> bool:
        """Whether linear layers hold their weights in 4 or 8 bits."""
        return self.quantization != "none"

    @property
    def label(self) -> str:
        """The precision in words."""
        return {"nf4": "4 bits", "int8": "8 bits", "none": "not quantized"}[self.quantization]


class Method(Precision):
    """How the base model is tuned, and held in memory meanwhile.

    `virtual_tokens` is the length of a trained prefix, and belongs to the tuner `prefix` alone.
    """

    tuner: Literal["lora", "prefix", "full", "regression_head"] = "lora"
    virtual_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None

    @property
    def has_lora(self) -> bool:
        """Whether an adapter of the section `lora` is trained."""
        return self.tuner in ("lora", "regression_head")

    @property
    def answers_numbers(self) -> bool:
        """Whether the tuned model answers with a number in place of a text."""
        return self.tuner == "regression_head"

    @property
    def num_virtual_tokens(self) -> int:
        """The positions of the context that a trained prefix takes."""
        return self.virtual_tokens or 0

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.tuner == "full" and self.is_quantized:
            raise ValueError(
                f"quantization: is {self.quantization}, must be none with the tuner full, which "
                "trains all weights: -S method=full, or -S method=qlora for an adapter"
            )
        if self.tuner == "prefix" and self.virtual_tokens is None:
            raise ValueError("virtual_tokens: is not set; the tuner prefix trains so many")
        if self.tuner != "prefix" and self.virtual_tokens is not None:
            raise ValueError(
                f"virtual_tokens: is {self.virtual_tokens}, must be null with the tuner "
                f"{self.tuner}: they belong to -S method=prefix"
            )
        return self


# Starts of an adapter's factors that leave the base's weights as they are.
INDEPENDENT_INITS = ("kaiming", "gaussian")


class Lora(Section):
    """The adapter of the tuners `lora` and `regression_head`.

    `alpha_ratio`, where it is set, stands above `alpha`: alpha is that ratio of `r`.
    """

    r: Annotated[int, Field(ge=1, le=1024)]
    alpha: Annotated[float, Field(gt=0)]
    alpha_ratio: Annotated[float, Field(gt=0)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)]
    target_modules: Annotated[str | list[str], Field(min_length=1)]
    dora: bool = False
    rslora: bool = False
    init: Literal["kaiming", "gaussian", "pissa", "olora", "orthogonal"] = "kaiming"
    bias: Literal["none", "all", "lora_only"] = "none"

    @property
    def effective_alpha(self) -> float:
        """The alpha that decides, of `alpha` and `alpha_ratio`."""
        return self.alpha if self.alpha_ratio is None else self.alpha_ratio * self.r


# What DVC watches for `train` beside its deps. Choosing by loss a file that is among these anyway:
# the list in dvc.yaml cannot vary in length, and must name something that is there.
WATCHED = {"loss": "src/finetune/training/selection.py", "score": "src/finetune"}


class Selection(Section):
    """What choosing the kept adapter depends on, composed by `${selection:}`, never set by hand.

    With `select_by: score` it holds the task's `primary`, and its `eval` and `score` but for what
    few-shot prompts and further draws need; with `loss` none of these, so that training does not
    depend on them. `watch` is what DVC watches for the stage beside its own code.
    """

    watch: str
    primary: str | None = None
    eval: dict[str, Any] = {}
    score: dict[str, Any] = {}


class Train(Section):
    """The optimization of one task; a kind may add parameters of its loss.

    Training stops after `patience` validations without improvement. `select_by` is what the kept
    adapter is best in; `keep_checkpoints` keeps the others beside it.
    """

    epochs: Annotated[float, Field(gt=0)]
    max_steps: Count | None
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    schedule: Literal["cosine", "linear", "constant_with_warmup"]
    weight_decay: Annotated[float, Field(ge=0)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    num_evals: Count
    patience: Count | None = None
    select_by: Literal["loss", "score"] = "loss"
    keep_checkpoints: bool = False
    seed: int
    deterministic: bool
    selection: Selection | None = None


# Options of `eval` that validation during training has no use for, and what they are there.
NOT_FOR_SELECTION: dict[str, int] = {"shots": 0, "draws": 1}


class Task(Section):
    """A data set of some kind, and what is done with it; `options.py` of a kind extends this.

    `primary` is the score that verdicts are about, by default the kind's first. `guards` say by how
    much others may get worse before a configuration is not shipped, in their units: scores of the
    kind, rates of its flags (`empty_rate`), `forgetting`; or the primary one, where another task is
    what got better. `baselines` are names of those in the kind's `baselines.py`.

    A kind declares its rows' `fields`, and whether its answers are numbers (`TaskRow.number`).
    """

    fields: ClassVar[RowFields]
    has_numbers: ClassVar[bool] = False

    kind: str
    source: TaskSource
    prompt: Prompt
    primary: str | None = None
    guards: dict[str, Annotated[float, Field(ge=0)]] = {}
    baselines: list[str]
    published: list[Published]
    train: Train
    eval: Eval
    score: Score

    @model_validator(mode="after")
    def _fields_are_known(self) -> Self:
        _check_fields(self.source, type(self).fields)
        return self

    @model_validator(mode="after")
    def _selection_is_composed(self) -> Self:
        if not self._is_composed(self.train.selection):
            raise ValueError(
                "train.selection: is not composed from this task's select_by, primary, eval and "
                "score; let it be ${selection:} in the task's config, and run `finetune params`"
            )
        return self

    def _is_composed(self, selection: Selection | None) -> bool:
        by = self.train.select_by
        if selection is None or by == "loss":
            return by == "loss" and selection in (None, Selection(watch=WATCHED[by]))
        try:
            options = self.selection_options(selection)
        except ValidationError:
            return False
        own = self.eval.model_copy(update=NOT_FOR_SELECTION), self.score
        is_same = options == own and selection.primary == self.primary
        return is_same and selection.watch == WATCHED[by]

    @classmethod
    def selection_options(cls, selection: Selection) -> tuple[Eval, Score]:
        """`eval` and `score` as a selection holds them, typed as the kind's own are."""
        evaluation, score = (cls.model_fields[name].annotation for name in ("eval", "score"))
        return (
            cast(type[Eval], evaluation).model_validate({**selection.eval, **NOT_FOR_SELECTION}),
            cast(type[Score], score).model_validate(selection.score),
        )


class Bootstrap(Section):
    """Confidence intervals."""

    resamples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: Seed


Auto = Literal["auto"]
# Those of `inference.engines`, ours first.
EngineName = Literal["builtin", "transformers", "vllm"]


class Run(Section):
    """The machine: nothing here changes a result beyond rounding, so no stage declares it.

    Budgets are the tokens, padding included, of one forward pass: `token_budget` of training,
    `eval_token_budget` of prompts at inference. `cache_gb` bounds the keys and values that decoding
    holds, `memory_gb` all that a stage may use (10⁹ bytes). `save_minutes` is the most work that a
    kill may cost; with `push_state` what was saved is copied to DVC's remote too. `report_to` are
    experiment trackers by the names that transformers has for them, beside DVCLive. `engine` is
    who computes answers in base and predict; `vllm_python` the Python of vLLM's own environment.
    `processes` is how many train and predict split the rows of an optimizer step and of a file,
    each on a GPU of its own; `accelerate` is a way to split the model too, by a file of
    `conf/accelerate`.
    """

    token_budget: Auto | Count
    eval_token_budget: Auto | Count
    cache_gb: Auto | Annotated[float, Field(gt=0)]
    memory_gb: Annotated[float, Field(gt=0)] | None
    save_minutes: Annotated[float, Field(gt=0)]
    push_state: bool
    logging_steps: Count | None
    usd_per_hour: Annotated[float, Field(ge=0)] | None
    report_to: list[Annotated[str, Field(pattern=r"^\w+$")]] = []
    engine: EngineName = "builtin"
    vllm_python: str | None = None
    processes: Count = 1
    accelerate: Literal["fsdp_qlora", "deepspeed_zero2", "deepspeed_zero3"] | None = None


# A task's name becomes a folder's, also on systems where A and a are one: never a path, never one
# of those that stand in models/ beside the adapters.
TASK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
RESERVED = ("embedded", "smollm2")


def check_task_names(names: Iterable[object]) -> None:
    """See that tasks can be called so.

    Raises:
        ValueError: one of them cannot.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not TASK_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r:.80} cannot be a task's name: it must be of letters a-z, digits, _ and "
                "-, with a letter first"
            )
        folded = name.lower()
        if folded in RESERVED:
            raise ValueError(f"{name!r} cannot be a task's name: models/{folded} is another folder")
        if folded in seen:
            raise ValueError(f"{seen[folded]!r} and {name!r} differ in nothing but upper case")
        seen[folded] = name


class Params(Section):
    """All of `params.yaml`."""

    tasks: Annotated[dict[str, SerializeAsAny[Task]], Field(min_length=1)]
    data: Data
    model: Model
    method: Method
    lora: Lora
    train: Train
    eval: EvalDefaults
    bootstrap: Bootstrap
    run: Run

    @model_validator(mode="after")
    def _init_fits_precision(self) -> Self:
        if (
            self.method.has_lora
            and self.method.is_quantized
            and self.lora.init not in INDEPENDENT_INITS
        ):
            raise ValueError(
                f"lora.init: is {self.lora.init}, which needs an unquantized base: -S method=lora, "
                f"or -S lora.init={INDEPENDENT_INITS[-1]}"
            )
        return self

    @model_validator(mode="after")
    def _answers_fit_method(self) -> Self:
        texts = [name for name, task in self.tasks.items() if not task.has_numbers]
        if self.method.answers_numbers and texts:
            remedies = ["take another method (-S method=qlora)"]
            if len(texts) < len(self.tasks):
                without = " ".join(f"-S '~tasks.{name}'" for name in texts)
                remedies.insert(0, f"leave them out ({without})")
            raise ValueError(
                f"method.tuner: is {self.method.tuner}, which answers with a number, and the "
                f"answers of {' and '.join(texts)} are texts: {', or '.join(remedies)}"
            )
        return self

    @field_validator("tasks", mode="before")
    @classmethod
    def _tasks_have_names(cls, value: object) -> object:
        if isinstance(value, dict):
            check_task_names(value)
        return value
