"""What `params.yaml` may hold: its sections, typed, with what each value must be.

Those of data stand in `data_params`, of the model in `model_params`, of training in `train_params`,
of the machine in `run_params`; all are imported from here. `finetune.core.params` reads a file into
them, and hands a stage those that dvc.yaml declares.
A kind of task has parameters of its own: see `Task`, and `options.py` in the kind's folder.
"""

import re
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import (
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from finetune.core.data_params import (
    ALL,
    MIN_RECALL,
    Augment,
    Bounds,
    Curate,
    Data,
    Embedded,
    Fields,
    FieldsBySplit,
    Files,
    Guesses,
    Hub,
    Limit,
    NearDuplicates,
    RowFields,
    Rows,
    Sizes,
    Split,
    SplitName,
    Splits,
    TaskSource,
    check_fields,
)
from finetune.core.model_params import INDEPENDENT_INITS, Api, Lora, Method, Model, Precision
from finetune.core.run_params import (
    Auto,
    Costs,
    DataEngine,
    EngineName,
    HostedRun,
    Origin,
    Prices,
    PushState,
    Run,
)
from finetune.core.section import MAX_COUNT, Count, Fraction, Section, Seed
from finetune.core.train_params import (
    COMPOSED,
    MIXED,
    TAKEN,
    UNMIXED,
    WATCHED,
    Mixed,
    MixedTask,
    Selection,
    Train,
    unmixed,
)

__all__ = [
    "ALL",
    "COMPOSED",
    "INDEPENDENT_INITS",
    "MIN_RECALL",
    "MIXED",
    "NOT_FOR_SELECTION",
    "RESERVED",
    "TAKEN",
    "TASK_NAME",
    "UNMIXED",
    "WATCHED",
    "Api",
    "Augment",
    "Auto",
    "Bootstrap",
    "Bounds",
    "Costs",
    "Count",
    "Curate",
    "Data",
    "DataEngine",
    "Embedded",
    "EngineName",
    "Eval",
    "EvalDefaults",
    "Fields",
    "FieldsBySplit",
    "Files",
    "Fraction",
    "Guesses",
    "HostedRun",
    "Hub",
    "Limit",
    "Lora",
    "Method",
    "Mixed",
    "MixedTask",
    "Model",
    "NearDuplicates",
    "Origin",
    "Params",
    "Precision",
    "Prices",
    "Prompt",
    "Published",
    "PushState",
    "RowFields",
    "Rows",
    "Run",
    "Score",
    "Section",
    "Seed",
    "Selection",
    "Sizes",
    "Split",
    "SplitName",
    "Splits",
    "Task",
    "TaskSource",
    "TextEval",
    "Train",
    "check_task_names",
]


class Prompt(Section):
    """How a row becomes a prompt: one place for training and inference.

    Of a row's text that is too long for `max_tokens`, `truncate` says what is left out, its middle,
    which is marked there, or its end; of an answer it is always the end.
    """

    instruction: str
    cue: str
    max_tokens: Annotated[int, Field(ge=16, le=MAX_COUNT)]
    max_completion_tokens: Count
    # As it was before there was a choice; conf/ has the middle.
    truncate: Literal["middle", "end"] = "end"


class Score(Section):
    """How predictions are scored; a kind adds its own options.

    A model with a larger fraction of rows without an answer than `max_no_answer` has no scores.
    """

    max_no_answer: Fraction = 0.05


class Eval(Section):
    """How a model is asked; few-shot prompts hold `shots` examples of train, drawn with `seed`.

    What is drawn is drawn `draws` times, the k-th from `seed` + k, k from 0 on.
    """

    shots: Annotated[int, Field(ge=0, le=1000)]
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
    beams: Annotated[int, Field(ge=2, le=1000)]
    samples: Annotated[int, Field(ge=2, le=10_000)]
    temperature: Annotated[float, Field(ge=0.0001, le=100)]

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


# Options of `eval` that validation during training has no use for, and what they are there.
NOT_FOR_SELECTION: dict[str, int] = {"shots": 0, "draws": 1}


class Task(Section):
    """A data set of some kind, and what is done with it; `options.py` of a kind extends this.

    `primary` is the score that verdicts are about, by default the kind's first. `guards` say by how
    much others may get worse before a configuration is not shipped, in their units: scores of the
    kind, rates of its flags (`empty_rate`), `forgetting`; or the primary one, where another task is
    what got better. `baselines` are names of those in the kind's `baselines.py`.

    A kind declares its rows' `fields`, whether its answers are numbers (`TaskRow.number`), and
    whether its inputs are dialogues, of which each line may begin with who says it.
    """

    fields: ClassVar[RowFields]
    has_numbers: ClassVar[bool] = False
    has_speakers: ClassVar[bool] = False

    kind: str
    source: TaskSource
    prompt: Prompt
    primary: str | None = None
    guards: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    baselines: list[str]
    published: list[Published]
    train: Train
    eval: Eval
    score: Score

    @model_validator(mode="after")
    def _fields_are_known(self) -> Self:
        check_fields(self.source, type(self).fields)
        if self.source.augment and not type(self).has_speakers:
            raise ValueError(f"source.augment: a row of the kind {self.kind} has no speakers")
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
        evaluation, score = (cls.section_type(name) for name in ("eval", "score"))
        return (
            cast(type[Eval], evaluation).model_validate({**selection.eval, **NOT_FOR_SELECTION}),
            cast(type[Score], score).model_validate(selection.score),
        )

    @classmethod
    def section_type(cls, name: str) -> type[Section]:
        """The type of one of the sections, such as `prompt`, as the kind has it."""
        return cast(type[Section], cls.model_fields[name].annotation)


class Bootstrap(Section):
    """Confidence intervals."""

    resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: Seed


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

    @model_validator(mode="after")
    def _mixtures_are_composed(self) -> Self:
        for name, task in self.tasks.items():
            problem = self._mixing_problem(name, task.train)
            if problem:
                raise ValueError(f"tasks.{name}.train.{problem}")
        return self

    def _mixing_problem(self, name: str, train: Train) -> str | None:
        """What is wrong with the other tasks that one has to do with."""
        others = [*train.mix, *([train.adapter_of] if train.adapter_of else [])]
        key = "mix" if train.mix else "adapter_of"
        for other in others:
            if other == name or other not in self.tasks:
                known = ", ".join(known for known in self.tasks if known != name) or "none"
                return f"{key}: {other!r} is no other task; others here: {known}"
        if train.mix and train.adapter_of:
            return "adapter_of: a task that takes an adapter trains none; leave out mix"
        if train.adapter_of and self.tasks[train.adapter_of].train.adapter_of:
            return f"adapter_of: {train.adapter_of} takes another's adapter itself; name that one"
        if others and (self.method.is_hosted or self.method.answers_numbers):
            return f"{key}: is not for method.tuner={self.method.tuner}; take another method"
        if (train.mixed or unmixed()) != self._mixed(train):
            return (
                "mixed: is not composed from mix, adapter_of and the other tasks' prompts; let it "
                "be ${mixed:} in the task's config, and run `finetune params`"
            )
        return None

    def _mixed(self, train: Train) -> Mixed:
        if train.adapter_of:
            return Mixed(data=TAKEN.format(train.adapter_of), code=UNMIXED[1])
        if not train.mix:
            return unmixed()
        tasks = {
            name: MixedTask(kind=task.kind, prompt=task.prompt.model_dump(exclude_unset=True))
            for name, task in self.tasks.items()
            if name in train.mix
        }
        return Mixed(data=MIXED[0], code=MIXED[1], tasks=tasks)

    @model_validator(mode="after")
    def _hosted_is_whole(self) -> Self:
        if self.method.is_hosted and not self.model.is_hosted:
            raise ValueError(
                f"method.tuner: is hosted, and the model is {self.model.source}: tune a hosted one "
                "(-S model=hosted -S method=hosted)"
            )
        if self.model.is_hosted and (self.run.processes > 1 or self.run.engine != "builtin"):
            raise ValueError(
                "run.processes: and run.engine are of models that are here; a hosted one takes 1 "
                "and builtin, and run.hosted.concurrency says how many rows are asked at once"
            )
        return self

    @field_validator("tasks", mode="before")
    @classmethod
    def _tasks_have_names(cls, value: object) -> object:
        if isinstance(value, dict):
            check_task_names(value)
        return value
