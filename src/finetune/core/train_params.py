"""Parameters of training: the optimization, what is kept, and what has to do with other tasks."""

from typing import Annotated, Any, Literal

from pydantic import Field

from finetune.core.section import Count, Section, Seed

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
    eval: dict[str, Any] = Field(default_factory=dict)
    score: dict[str, Any] = Field(default_factory=dict)


class MixedTask(Section):
    """A task whose rows another one trains on, too."""

    kind: str
    prompt: dict[str, Any]


class Mixed(Section):
    """What others have to do with a task's adapter, composed by `${mixed:}`, never set by hand.

    `data` and `code` are what DVC watches for the stage beside its own: where there are no others,
    files that it watches anyway.
    """

    data: str
    code: str
    tasks: dict[str, MixedTask] = Field(default_factory=dict)


# What stands in `data` and `code`, by what a task has others for.
UNMIXED = ("src/finetune/training/examples.py", "src/finetune/training/losses.py")
MIXED = ("data/prepared", "src/finetune/tasks")
TAKEN = "models/{}"
# Sections of `train` that are composed from other parameters, which say all of it.
COMPOSED = ("selection", "mixed")


class Train(Section):
    """The optimization of one task; a kind may add parameters of its loss.

    Training stops after `patience` validations without improvement. `select_by` is what the kept
    adapter is best in; `keep_checkpoints` keeps the others beside it. `mix` are further tasks whose
    rows it learns from, each with how many for one of its own; `adapter_of` is a task whose adapter
    it takes, without training.
    """

    epochs: Annotated[float, Field(gt=0, le=10_000)]
    max_steps: Count | None
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    schedule: Literal["cosine", "linear", "constant_with_warmup"]
    weight_decay: Annotated[float, Field(ge=0, le=100)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    num_evals: Count
    patience: Count | None = None
    select_by: Literal["loss", "score"] = "loss"
    keep_checkpoints: bool = False
    seed: Seed
    deterministic: bool
    selection: Selection | None = None
    mix: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    adapter_of: str | None = None
    mixed: Mixed | None = None

    def watched(self) -> dict[str, str]:
        """What dvc.yaml's deps of training say by a parameter, each with the code that it names."""
        watched = {}
        if self.selection is not None:
            watched["${item.train.selection.watch}"] = self.selection.watch
        if self.mixed is not None:
            watched["${item.train.mixed.code}"] = self.mixed.code
        return watched


def unmixed() -> Mixed:
    """What `mixed` is for a task that has nothing to do with others."""
    return Mixed(data=UNMIXED[0], code=UNMIXED[1])
