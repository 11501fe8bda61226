"""What `params.yaml` may hold: its sections, typed, with what each value must be.

Those of data stand in `source_params` and `data_params`, of a task in `task_params`, of the model
in `model_params`, of training in `train_params`, of the machine in `run_params`; all are imported
from here.
`finetune.core.params` reads a file into them, and hands a stage those that dvc.yaml declares.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import (
    Field,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from finetune.core.data_params import (
    MIN_RECALL,
    Augment,
    Bounds,
    Curate,
    Data,
    Embedded,
    Limit,
    NearDuplicates,
    Paraphrases,
    Rows,
    Sizes,
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
from finetune.core.section import Count, Fraction, Section, Seed
from finetune.core.source_params import (
    ALL,
    Fields,
    FieldsBySplit,
    Files,
    Guesses,
    Hub,
    MixedSource,
    RowFields,
    Split,
    SplitName,
    Splits,
    TaskSource,
)
from finetune.core.task_params import (
    NOT_FOR_SELECTION,
    Eval,
    EvalDefaults,
    Prompt,
    Published,
    Score,
    Task,
    TextEval,
)
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
    "MixedSource",
    "MixedTask",
    "Model",
    "NearDuplicates",
    "Origin",
    "Params",
    "Paraphrases",
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
    def _generators_are_watched(self) -> Self:
        for task, options in self.tasks.items():
            for name, part in options.source.mix.items():
                if part.embedded is not None and self.data.source != "embedded":
                    raise ValueError(
                        f"tasks.{task}.source.mix.{name}.embedded: is for data=embedded alone, "
                        "where a change of the generator is noticed"
                    )
        return self

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
