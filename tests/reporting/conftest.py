"""Metric files as the stages write them, and a whole run of two tasks, small and synthetic."""

import random
import shutil
from collections.abc import Callable, Mapping
from contextlib import chdir
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from markupsafe import Markup

from finetune.core import params, paths
from finetune.core.calibration import covered
from finetune.core.files import write_json, write_jsonl, write_text, write_tsv
from finetune.core.schema import Bootstrap, Params
from finetune.describing import card
from finetune.reporting import artifacts, page
from finetune.reporting.artifacts import Kind
from finetune.reporting.parts import Figure, KindQuality, KindReport, Series
from finetune.scoring import draws, forgetting, groups, summary
from finetune.scoring.baselines import Baseline, of_each
from finetune.scoring.metrics import Flag, Grouping, Metric
from finetune.stages import report
from finetune.tasks import registry

ROOT = Path(__file__).parents[2]
RESAMPLES = Bootstrap(resamples=100, confidence=0.95, seed=1)
# Of rows without an answer, as in the tasks' configs.
MOST = 0.05
ROUGES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
ROUGE_COLUMNS = ("rouge1", "rouge2", "rougeL", "rougeLsum_by_sentence")
# Text as a data set may hold it: the page must show it as text.
HOSTILE = "<script>document.title = 'broken'</script>"
ROWS = 24


@pytest.fixture
def kind() -> Kind:
    """A kind that no task is of."""
    error = Metric(
        key="error",
        columns=("absolute_error",),
        title="mean error",
        meaning="how far off an answer is",
        unit="km",
        higher_is_better=False,
        in_readme=True,
        in_groups=True,
    )
    guessed = Metric(key="guessed", columns=("guessed",), title="GUESSED", unit="%", decimals=1)
    return Kind(
        metrics=(error, guessed),
        flags=(Flag("empty", "nothing was answered"), Flag("late", "it came too late")),
        groupings=(Grouping("side", lambda row: (0, row["side"])),),
        baselines=(
            Baseline("nearest", "the nearest town", of_each(lambda row: 1)),
            Baseline("best", "the best town", of_each(lambda row: 1), is_oracle=True),
        ),
        report=KindReport(
            description="distances of towns",
            series=(Series(label="letters of a town", value=lambda row: len(row["town"])),),
            loss=lambda train: f"The squared distance, seed {train.seed}.",
            quality=lambda name, of: KindQuality(
                before_groups=[Figure("first", "", Markup("<svg></svg>"))],
                after_groups=[Figure("last", name, Markup("<svg></svg>"))],
                missing=["no map"],
                examples=Markup("<b>towns</b>"),
            ),
            notes=lambda of: [f"{of.task} is far."],
            remarks=lambda metrics: ["As the crow flies."],
        ),
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    """Metric files of a task `chats`, as the stages write them."""

    def scores(points: float, **more: object) -> dict:
        interval = {name: {"low": points - 1, "high": points + 1.25} for name in ROUGES}
        return {**dict.fromkeys(ROUGES, points), "n": 300, **more, "interval": interval}

    gain = {name: {"mean": 20.114, "low": -0.5, "high": 21.5} for name in ROUGES}
    counts = {
        "train": {"rows": 1500, "kept": 1490},
        "test": {"rows": 300, "found_x": 7, "kept": 300},
    }
    trained = {"validation_loss": 1.25, "steps": 282, "run": {"seconds": 60.5, "device": "cpu"}}
    files = {
        "data": {"data": counts},
        "baselines": {"baselines": {"lead3": scores(30.0), "longest3": scores(31.0)}},
        "base": {"base": scores(20.0, prompt_truncated=3, empty=11)},
        "train": {"train": trained},
        "tuned": {**scores(40.125, prompt_truncated=3, hit_length_cap=2), "gain": gain},
    }
    for name, metrics in files.items():
        write_json(tmp_path / "chats" / f"{name}.json", {"chats": metrics})
    return tmp_path


@pytest.fixture(scope="session")
def known() -> Params:
    """The project's own parameters, with an interval that takes no time."""
    read = params.read(ROOT / "params.yaml")
    return read.model_copy(update={"bootstrap": RESAMPLES})


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A folder in which the pipeline has run for `samsum` and `price`. Not to be written to."""
    root = tmp_path_factory.mktemp("run")
    with chdir(root):
        for task, kind, rows in (
            ("samsum", "summarization", _dialogues()),
            ("price", "price", _products()),
        ):
            _write_task(task, kind, rows)
        for weights in ("models/embedded/model", "models/samsum/adapter_model"):
            write_text(Path(f"{weights}.safetensors"), weights)
    return root


@pytest.fixture
def run_folder(finished, tmp_path) -> Path:
    """A copy of it, to take pieces away from."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture(scope="session")
def render(known) -> Callable[..., str]:
    """Makes the page of a folder; `tasks` are those to show, all of the parameters' otherwise.

    With parameters of its own, `model` and `data` are shown too.
    """

    def rendered(
        root: Path, tasks: tuple[str, ...] = ("samsum", "price"), own: Params | None = None
    ) -> str:
        with chdir(root):
            shown = {task: known.tasks[task] for task in tasks}
            found = [
                artifacts.read(task, report.kind(options.kind)) for task, options in shown.items()
            ]
            sections = {"lora": known.lora}
            if own:
                sections |= {"model": own.model, "data": own.data}
            model = (own or known).model
            return page.page(found, shown, sections, known.bootstrap, model, known.run.usd_per_hour)

    return rendered


@pytest.fixture(scope="session")
def html(finished, render) -> str:
    """The page of the finished run."""
    return render(finished)


@pytest.fixture
def unanswered(tmp_path) -> Callable[..., Path]:
    """Makes the folder of a run whose models leave so many rows of each task unanswered."""

    def run(**counts: int) -> Path:
        root = tmp_path / "unanswered"
        root.mkdir()
        with chdir(root):
            _write_task("samsum", "summarization", _dialogues(), counts)
            _write_task("price", "price", _products(), counts)
        return root

    return run


def _dialogues() -> list[dict]:
    draw = random.Random(1)
    return [
        {
            "id": f"d{i}",
            "dialogue": f"Ann: {'so ' * draw.randint(5, 120)}Bob?\nBob: {HOSTILE}",
            "summary": f"Bob owes Ann {i} cents.",
        }
        for i in range(ROWS)
    ]


def _products() -> list[dict]:
    draw = random.Random(2)
    return [
        {
            "id": f"p{i}",
            "text": f"Lamp {i}\n{HOSTILE}",
            "price": round(draw.lognormvariate(4, 1), 2),
            "category": draw.choice(["lamps & lights", "<b>tools</b>", None]),
        }
        for i in range(ROWS)
    ]


def _write_task(
    task: str, kind: str, rows: list[dict], unanswered: Mapping[str, int] = MappingProxyType({})
) -> None:
    answers = {"summarization": _summaries, "price": _prices}[kind]
    for split in paths.SPLITS:
        write_jsonl(paths.prepared(task) / f"{split}.jsonl", rows)
    counts = {"rows": ROWS + 2, "dropped_duplicates": 2, "kept": ROWS}
    write_json(paths.metrics(task, "data"), {task: {"data": dict.fromkeys(paths.SPLITS, counts)}})
    origin = {"source": "embedded", "licence": "MIT"}
    write_json(paths.raw(task) / "source.json", origin)
    of_kind = [registry.rows(kind).Row.model_validate(row) for row in rows]
    options = card.Options(seed=1, confidence=0.95, phone_regions=(), is_masked=False)
    described = card.describe(
        dict.fromkeys(paths.SPLITS, of_kind), registry.data_card(kind).CARD, origin, options
    )
    write_json(paths.data_card(task), described)

    models = {name: answers(rows, error) for name, error in MODELS.items()}
    for row in models["few_shot"]:
        row["shots"] = 2
    for name, count in unanswered.items():
        for row in models[name][:count]:
            row |= {"summarization": {"empty": True}, "price": {"unparsable": True}}[kind]
    for name, predictions in models.items():
        write_jsonl(paths.scored(task, name), predictions)
    scores = registry.scores(kind)
    by_group = groups.table(
        scores.GROUPINGS,
        scores.METRICS,
        scores.FLAGS,
        rows,
        {name: models[name] for name in ("base", "tuned")},
        RESAMPLES,
        MOST,
    )
    write_tsv(paths.groups(task), list(by_group))

    def measured(predictions: list[dict], **protocol: object) -> dict:
        return {
            **summary.summary(scores.METRICS, scores.FLAGS, predictions, RESAMPLES, protocol, MOST),
            "validation": summary.scores(scores.METRICS, scores.FLAGS, predictions[:5], MOST),
        }

    metrics = {name: measured(predictions) for name, predictions in models.items()}
    for name, predictions in models.items():
        if not summary.is_silent(scores.FLAGS, predictions, MOST):
            metrics[name] |= scores.details(predictions, RESAMPLES)
    other_draw = answers(rows, MODELS["few_shot"] - 0.05)
    metrics["few_shot"] |= draws.spread(
        scores.METRICS, [models["few_shot"], other_draw], "examples"
    )
    gain = summary.gain(
        scores.METRICS, scores.FLAGS, models["base"], models["tuned"], RESAMPLES, MOST
    )
    forgot = forgetting.forgetting(_general(5.0), _general(5.5), RESAMPLES)
    metrics["tuned"] |= {"gain": gain, "forgetting": forgot}
    write_json(paths.metrics(task, "tuned"), {task: metrics.pop("tuned")})
    write_json(paths.metrics(task, "base"), {task: metrics})

    baselines = {}
    for name, (error, count) in BASELINES[kind].items():
        predictions = [_plain(row) for row in answers(rows, error)][:count]
        write_jsonl(paths.baselines(task) / f"{name}.jsonl", predictions)
        remarks = {"oracle": True} if name == "oracle3" else {}
        if count < ROWS:
            remarks["source"] = "one person"
        baselines[name] = measured(predictions, **remarks)
        if count < ROWS:
            del baselines[name]["validation"]  # somebody's own answers are to test rows alone
    write_json(paths.metrics(task, "baselines"), {task: {"baselines": baselines}})

    trained = {"rows": ROWS, "steps": 40, "best_step": 20, "validation_loss": 1.5}
    run = {"device": "cpu", "minutes": 30.0, "peak_memory_gb": 1.5, "resumed_at_step": 0}
    write_json(paths.metrics(task, "train"), {task: {"train": {**trained, "run": run}}})
    for name, points in CURVES.items():
        curve = [{"step": step, name: value} for step, value in points]
        write_tsv(paths.curves(task) / f"{name}.tsv", curve)


def _general(nll: float) -> list[dict]:
    """Likelihoods of general text, all alike."""
    parts = [("page", 8), ("exercises", 8)]
    rows = [(f"{part}-{i}", part) for part, count in parts for i in range(count)]
    return [
        {"id": name, "part": part, "nll": nll, "tokens": 2, "bytes": 10, "truncated": False}
        for name, part in rows
    ]


# How far off each is, from 0 to 1; of baselines also how many rows they answer.
MODELS = {"base": 0.9, "few_shot": 0.7, "tuned": 0.2}
BASELINES = {
    "summarization": {"lead3": (0.6, ROWS), "longest3": (0.5, ROWS), "oracle3": (0.1, ROWS)},
    "price": {"median": (0.6, ROWS), "boosting": (0.4, ROWS), "human": (0.3, ROWS // 2)},
}
CURVES = {
    "train_loss": [(step, 4 / step**0.3) for step in range(1, 41)],
    "validation_loss": [(10, 2.0), (20, 1.5), (30, 1.6), (40, 1.9)],
    "learning_rate": [(step, 0.001 * (1 - step / 40)) for step in range(1, 41)],
}
MODELS_ONLY = (
    "hit_length_cap", "empty", "reference_nll", "reference_tokens", "prompt_truncated",
    "estimates", "crps", "pit", "covered_50", "covered_90", "outside", "unparsable",
)  # fmt: skip


def _plain(row: dict) -> dict:
    """A baseline's row: without what only models have."""
    return {name: value for name, value in row.items() if name not in MODELS_ONLY}


def _summaries(rows: list[dict], error: float) -> list[dict]:
    draw = random.Random(3)
    found = []
    for row in rows:
        points = dict.fromkeys(ROUGE_COLUMNS, 100 * (1 - error) * draw.uniform(0.7, 1))
        words = {"prediction_words": 5, "reference_words": 5}
        flags = {"hit_length_cap": False, "empty": False, "prompt_truncated": row["id"] == "d1"}
        found.append(
            {
                "id": row["id"],
                "prediction": f"Ann owes Bob, says {HOSTILE}.",
                "reference": row["summary"],
                **points,
                **words,
                **flags,
                "reference_nll": 20 * error,
                "reference_tokens": 10,
            }
        )
    return found


def _prices(rows: list[dict], error: float) -> list[dict]:
    draw = random.Random(4)
    found = []
    for row in rows:
        price = round(row["price"] * draw.uniform(1 - error / 2, 1 + 2 * error), 2)
        off = abs(price - row["price"])
        # The mass on the one price of a thousand that is the true one.
        below = 0.99 * draw.betavariate(1 - error / 2, 1 - error / 2)
        span = np.array(below), np.array(below + 0.01)
        found.append(
            {
                "id": row["id"],
                "prediction": price,
                "reference": row["price"],
                "category": row["category"],
                "absolute_error": off,
                "hit": 100.0 * (off < 40),
                "estimates": {"greedy": price + 1, "top_k_mean": price - 1, "median": price},
                "crps": 0.7 * off,
                "pit": [below, below + 0.01],
                "covered_50": 100 * float(covered(*span, 0.5)),
                "covered_90": 100 * float(covered(*span, 0.9)),
                "outside": 0.0,
                "unparsable": False,
                "prompt_truncated": False,
            }
        )
    return found
