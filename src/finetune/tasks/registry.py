"""The kinds of task: each is a folder here, with one module a concern, imported when asked for.

    options.py    Task: the kind's parameters, a pydantic model
    rows.py       Row: a row of data/prepared; clean and peculiarities of raw rows
    predict.py    answers: how the model is asked; with loss.py and serve.py those that import
                  torch; from_texts: the same of a hosted model, which gives texts alone
    loss.py       loss: what training minimizes
    scores.py     METRICS, FLAGS, GROUPINGS; score: predictions with their rows' scores; PROTOCOL,
                  what they cannot be compared without beside parameters, and draw_agreement, how
                  far two answers to one row agree, may be missing
    baselines.py  BASELINES: predictions without a language model; guess: somebody's own answer
    report.py     what the page shows of the kind, beside what it shows of all
    data_card.py  CARD: what the data card counts of the kind's rows beside lengths
    init.py       INIT: how `finetune init` recognizes and sets up such a task; may be missing
    serve.py      SERVE: the kind's own endpoint of `finetune serve`; may be missing
    rate.py       RATE: what `finetune rate` asks people; may be missing

What rows.py, scores.py, report.py and data_card.py offer may depend on options of the kind's
prompt, such as the currency of prices: such a module has a function `of_prompt`, which takes a
task's prompt and gives what there is another value for, by its name.

A kind's name stands nowhere else. The modules are checked against the protocols below by their use;
`finetune kinds` lists them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, cast

from finetune.core import kinds
from finetune.core.errors import ParamsError

if TYPE_CHECKING:
    from finetune.columns.kind_init import KindInit
    from finetune.core.rows import TaskRow
    from finetune.core.schema import Bootstrap, Prompt, Score, Task, Train
    from finetune.describing.kind_card import KindCard
    from finetune.inference.predict import Request
    from finetune.inference.written import TextRequest
    from finetune.modeling.prompts import PromptEncoder
    from finetune.rating.kind_rating import KindRating
    from finetune.reporting.parts import KindReport
    from finetune.scoring.baselines import Baseline
    from finetune.scoring.draws import PairAgreement
    from finetune.scoring.metrics import Flag, Grouping, Metric, Prediction
    from finetune.serving.typed import Endpoint
    from finetune.training.losses import Loss

# A row of a source in our field names, before it is cleaned.
RawRow = Mapping[str, Any]
# A row of data/prepared as its JSON has it.
JsonRow = Mapping[str, Any]


class Options(Protocol):
    """`options.py`: parameters."""

    Task: "type[Task]"


class Rows(Protocol):
    """`rows.py`: what a row is."""

    Row: "type[TaskRow]"

    def clean(self, row: RawRow) -> "TaskRow":
        """A raw row as the pipeline keeps it; ValueError says what is wrong with it."""

    def peculiarities(self, row: RawRow) -> Iterator[str]:
        """Names of what is odd about a raw row, counted in `data.json`."""


class Predict(Protocol):
    """`predict.py`: how a model is asked."""

    def answers(self, request: "Request[Any, Any]") -> "list[Prediction]":
        """For each row `id`, `prediction`, `reference`, and whatever scoring needs."""

    def from_texts(self, request: "TextRequest[Any, Any]") -> "list[Prediction]":
        """The same of a model that gives texts alone, without what needs likelihoods."""


class LossModule(Protocol):
    """`loss.py`: what training minimizes."""

    def loss(self, encoder: "PromptEncoder", train: "Train") -> "Loss":
        """The loss of a completion's tokens, summed."""


class Scores(Protocol):
    """`scores.py`: metrics; the first is the primary one, which models are chosen and judged by."""

    METRICS: "tuple[Metric, ...]"
    FLAGS: "tuple[Flag, ...]"
    GROUPINGS: "tuple[Grouping, ...]"

    def score(
        self, rows: Sequence[JsonRow], predictions: "Sequence[Prediction]", options: "Score"
    ) -> "list[Prediction]":
        """The predictions with the scores of each row."""

    def details(self, predictions: "Sequence[Prediction]", options: "Bootstrap") -> dict[str, Any]:
        """What the kind's metric file holds beside scores; may be empty."""


class Baselines(Protocol):
    """`baselines.py`: predictions without a language model."""

    BASELINES: "tuple[Baseline[Any], ...]"

    def guess(self, value: object) -> Any:
        """Somebody's own answer as a prediction; ValueError says why it is none."""


class Report(Protocol):
    """`report.py`: the kind's own part of the page."""

    REPORT: "KindReport"


class DataCard(Protocol):
    """`data_card.py`: the kind's own part of the data card."""

    CARD: "KindCard"


class Init(Protocol):
    """`init.py`: how `finetune init` sets up a task; optional."""

    INIT: "KindInit"


class Serve(Protocol):
    """`serve.py`: how answers are served; optional."""

    SERVE: "Endpoint"


class Rate(Protocol):
    """`rate.py`: what people are asked who rate answers; optional."""

    RATE: "KindRating"


def names() -> list[str]:
    """All kinds, in alphabetical order."""
    return list(kinds.folders())


def names_with_init() -> list[str]:
    """The kinds that `finetune init` can set up, in alphabetical order."""
    return kinds.having("init")


def options(kind: str) -> Options:
    """A kind's parameters; for this and the following: ParamsError where there is no such kind."""
    return cast(Options, kinds.load(kind, "options"))


def rows(kind: str, prompt: "Prompt | None" = None) -> Rows:
    """A kind's rows, as a task with this prompt has them."""
    return cast(Rows, _of_prompt(kind, "rows", prompt))


def predict(kind: str) -> Predict:
    """How a model is asked; imports torch."""
    return cast(Predict, kinds.load(kind, "predict"))


def from_texts(kind: str) -> "Callable[[TextRequest[Any, Any]], list[Prediction]]":
    """How a kind reads its answers from texts; imports torch.

    Raises:
        ParamsError: it does not.
    """
    module = predict(kind)
    if not hasattr(module, "from_texts"):
        raise ParamsError(
            f"kind: {kind} cannot be asked of a model that gives texts alone, such as a hosted "
            "one: its predict.py has no from_texts (docs/extending.md)"
        )
    return module.from_texts


def loss(kind: str) -> LossModule:
    """What training minimizes; imports torch."""
    return cast(LossModule, kinds.load(kind, "loss"))


def scores(kind: str, prompt: "Prompt | None" = None) -> Scores:
    """A kind's metrics and groups, as a task with this prompt has them."""
    return cast(Scores, _of_prompt(kind, "scores", prompt))


def _of_prompt(kind: str, concern: str, prompt: "Prompt | None") -> Any:
    module = kinds.load(kind, concern)
    of_prompt = getattr(module, "of_prompt", None)
    if prompt is None or of_prompt is None:
        return module
    return SimpleNamespace(**{**vars(module), **of_prompt(prompt)})


def protocol(kind: str) -> Mapping[str, Any]:
    """What a kind's scores cannot be compared without beside parameters, such as a library."""
    return cast(Mapping[str, Any], getattr(kinds.load(kind, "scores"), "PROTOCOL", {}))


def draw_agreement(kind: str) -> "PairAgreement | None":
    """How far two answers to a row agree, 0 to 100 for each pair; None where a kind says nothing.

    It takes pairs of scored predictions and the task's scoring options.
    """
    return cast("PairAgreement | None", getattr(kinds.load(kind, "scores"), "draw_agreement", None))


def metrics(kind: str, primary: str | None, prompt: "Prompt | None" = None) -> "tuple[Metric, ...]":
    """The metrics of a kind, first the one that a task declares `primary`, if it does.

    They are as a task with this prompt has them.

    Raises:
        ParamsError: the kind has no such metric, or it has no better direction.
    """
    of_kind = scores(kind, prompt).METRICS
    key = primary or of_kind[0].key
    known = [metric.key for metric in of_kind if metric.higher_is_better is not None]
    if key not in known:
        raise ParamsError(f"primary: is {key}, must be one of {', '.join(known)}")
    return tuple(sorted(of_kind, key=lambda metric: metric.key != key))


def baselines(kind: str) -> Baselines:
    """A kind's baselines."""
    return cast(Baselines, kinds.load(kind, "baselines"))


def report(kind: str, prompt: "Prompt | None" = None) -> Report:
    """A kind's part of the report, as a task with this prompt has it."""
    return cast(Report, _of_prompt(kind, "report", prompt))


def data_card(kind: str, prompt: "Prompt | None" = None) -> DataCard:
    """A kind's part of the data card, as a task with this prompt has it."""
    return cast(DataCard, _of_prompt(kind, "data_card", prompt))


def init(kind: str) -> Init:
    """How `finetune init` sets up a task; ParamsError also for a kind without it."""
    return cast(Init, kinds.load(kind, "init"))


def endpoint(kind: str) -> "Endpoint | None":
    """A kind's own endpoint, None where it has none; imports torch."""
    if kind not in kinds.having("serve"):
        return None
    return cast(Serve, kinds.load(kind, "serve")).SERVE


def rating(kind: str) -> "KindRating | None":
    """What people are asked who rate a kind's answers; None where it says nothing of its own."""
    if kind not in kinds.having("rate"):
        return None
    return cast(Rate, kinds.load(kind, "rate")).RATE
