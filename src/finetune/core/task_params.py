"""Parameters of a task: its prompt, how a model is asked and scored, and what is done with it.

A kind of task has parameters of its own: see `Task`, and `options.py` in the kind's folder.
"""

from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import Field, ValidationError, model_validator

from finetune.core.section import MAX_COUNT, Count, Fraction, Section, Seed
from finetune.core.source_params import RowFields, TaskSource, check_fields
from finetune.core.train_params import WATCHED, Selection, Train


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
        augment = self.source.augment
        if augment and augment.rename_speakers and not type(self).has_speakers:
            raise ValueError(
                f"source.augment.rename_speakers: a row of the kind {self.kind} has no speakers"
            )
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
