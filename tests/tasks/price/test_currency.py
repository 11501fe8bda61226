"""Prices in rupees, by the config that docs/data.md shows: from files to scores."""

import csv
import shutil
from pathlib import Path

import pytest
from doc_pages import ROOT, blocks

from finetune.comparing import ranking
from finetune.comparing.runs import Run
from finetune.composition import compose
from finetune.core import params, paths
from finetune.core.errors import ParamsError
from finetune.core.files import read_json, read_jsonl
from finetune.data import cleaning, splitting
from finetune.data.split import Split
from finetune.inference.budgets import Budgets
from finetune.inference.predict import EvalSpec, predict
from finetune.modeling import number_head
from finetune.modeling.prompts import PromptEncoder
from finetune.reporting.artifacts import TaskArtifacts
from finetune.stages import baselines, fetch, prepare
from finetune.stages.report import kind
from finetune.tasks import registry
from finetune.tasks.price.loss import TokenError, loss
from finetune.tasks.price.options import Answer, PriceEval, PricePrompt, PriceTrain
from finetune.tasks.price.rows import Row
from finetune.training.examples import IGNORE_INDEX, encode, encode_numbers

NAME = "conf/task/rupees.yaml"
CONFIG = next(
    block.text
    for block in blocks((ROOT / "docs/data.md").read_text(encoding="utf-8"))
    if block.text.startswith(f"# {NAME}\n")
)
PRICES = {"train": ["₹1,29,900", "INR 40,000", *range(1_000, 20_000, 500)], "test": [149, 7_960.5]}
BUDGETS = Budgets(prompt_tokens=512, cache_bytes=2**28)
EVAL = PriceEval(
    shots=0, seed=5, estimate="median", top_k=3, prune_below=0.0, min_mass=0.0
)  # fmt: skip


def prompt(**answer: object) -> PricePrompt:
    return PricePrompt(
        instruction="Go.", cue="Price is ₹", max_tokens=64, max_completion_tokens=8,
        answer=Answer(**answer),
    )  # fmt: skip


RUPEES = prompt(currency="INR", unit=100)


def row(price: float, text: str = "A lamp") -> Row:
    return Row(id=str(price), text=text, price=price, category=None)


def ask(base, asked: PricePrompt, prices: list[float]) -> list[dict]:
    spec = EvalSpec(asked, EVAL, registry.predict("price").answers)
    rows = [row(price, f"A lamp of {n} cm") for n, price in enumerate(prices)]
    return predict(base, base.model, spec, rows, rows, "test", BUDGETS)


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A repository with the task and its files; the test stands in it."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / NAME).write_text(CONFIG, encoding="utf-8")
    (folder / "models/embedded").mkdir(parents=True)
    (folder / "files/rupees").mkdir(parents=True)
    for split, prices in PRICES.items():
        with (folder / f"files/rupees/{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sku", "description", "mrp", "department"])
            for n, price in enumerate(prices):
                writer.writerow([f"{split}-{n}", f"A lamp of {n} {split} cm", price, "Home"])
    monkeypatch.chdir(folder)
    text = compose(
        folder,
        ["+task@tasks.rupees=rupees", "~tasks.samsum", "~tasks.price", "data=files",
         "data.root=files", "data.near_duplicates.threshold=null"],
    )  # fmt: skip
    Path("params.yaml").write_text(text, encoding="utf-8")
    return folder


def test_rupees_are_a_config_alone(repository, load, tiny_model):
    for stage, name in ((fetch, "fetch"), (prepare, "prepare")):
        stage.run(params.for_stage(name, "rupees"), "rupees")
    counts = read_json(paths.metrics("rupees", "data"))["rupees"]["data"]["train"]
    assert (counts["found_price_above_maximum"], counts["set_aside"]) == (1, 0)
    options = params.read(Path("params.yaml")).tasks["rupees"]
    rows = {
        split: [Row(**each) for each in read_jsonl(paths.prepared("rupees") / f"{split}.jsonl")]
        for split in paths.SPLITS
    }
    answers = {each.price: each.for_prompt(options.prompt).completion
               for each in (*rows["train"], *rows["validation"])}  # fmt: skip
    assert (answers[129_900], answers[40_000], answers[1_500]) == ("999", "400", "15")

    base = load(tiny_model)
    encoder = PromptEncoder(base.tokenizer, options.prompt, base.context)
    example = encode(rows["test"], encoder)[1]
    learned = [label for label in example["labels"] if label != IGNORE_INDEX]
    assert base.tokenizer.decode(learned[:-1]) == "80"

    asked = options.eval.model_copy(update={"min_mass": 0.0})
    spec = EvalSpec(options.prompt, asked, registry.predict("price").answers)
    predictions = predict(base, base.model, spec, rows["test"], rows["train"], "test", BUDGETS)
    json_rows = [each.model_dump() for each in rows["test"]]
    scored = registry.scores("price").score(json_rows, predictions, options.score)
    assert [each["reference"] for each in scored] == [149.0, 7960.5]
    assert all(each["prediction"] % 100 == 0 for each in scored)
    assert [each["absolute_error"] for each in scored] == [
        abs(each["prediction"] - each["reference"]) for each in scored
    ]
    within = [each["absolute_error"] <= max(4000, 0.2 * each["reference"]) for each in scored]
    assert [each["hit"] == 100 for each in scored] == within

    baselines.run(params.for_stage("baselines", "rupees"), "rupees")
    median = read_json(paths.metrics("rupees", "baselines"))["rupees"]["baselines"]["median"]
    assert median["mae"] > 1000  # in rupees


@pytest.mark.parametrize("head", [False, True])
def test_a_unit_scales_predictions_and_errors_and_nothing_else(load, tiny_model, head):
    base = load(tiny_model)
    if head:
        number_head.add(base.model)
        number_head.start(base.model, [20.0, 45.0, 300.0])
    prices = [45.0, 7.25, 1200.0]
    ones = ask(base, prompt(), prices)
    hundreds = ask(base, RUPEES, [100 * price for price in prices])
    for one, hundred in zip(ones, hundreds, strict=True):
        for name in ("prediction", "reference"):
            assert hundred[name] == pytest.approx(100 * one[name])
        for name in ("crps", "crps_charged"):
            assert hundred[name] == pytest.approx(100 * one[name], abs=0.01)
        for name in ("pit", "covered_50", "covered_90", "outside", "continuation", "unparsable"):
            assert hundred[name] == one[name]


def test_charged_errors_compare_only_where_the_highest_price_is_the_same(load, tiny_model):
    base = load(tiny_model)
    asked = [{}, {"unit": 100}, {"unit": 100, "maximum": 50}, {"unit": 3, "maximum": 333}]
    runs = [ask(base, prompt(**answer), [45.0, 7.25]) for answer in asked]
    assert [run[0].get("highest") for run in runs] == [None, 99_900, 5000, None]
    metrics = {metric.key: metric for metric in registry.scores("price").METRICS}
    charged, plain = metrics["crps_charged"], metrics["crps"]
    assert [charged.compares(runs[0], run) for run in runs] == [True, False, False, True]
    assert [charged.compares(run, runs[1]) for run in runs] == [False, True, False, False]
    assert all(plain.compares(runs[0], run) for run in runs)


def test_a_row_without_an_answer_counts_as_the_median_in_the_currency(load, tiny_model):
    base = load(tiny_model)
    base.model.lm_head.weight.data.fill_(float("nan"))
    rows = ask(base, RUPEES, [4500.0, 12_000.0, 99_000.0])
    assert [each["prediction"] for each in rows] == [12_000.0] * 3
    assert [each["crps"] for each in rows] == [7_500.0, 0.0, 87_000.0]
    assert [each["crps_charged"] for each in rows] == [95_400.0, 87_900.0, 99_000.0]


def test_a_head_and_a_loss_learn_units_up_to_the_maximum(load, tiny_model):
    base = load(tiny_model)
    asked = prompt(currency="INR", unit=100, maximum=50)
    encoder = PromptEncoder(base.tokenizer, asked, base.context)
    (example,) = encode_numbers([row(7_960.5)], encoder)
    assert example["labels"][-1] == 7960  # hundredths of a unit
    train = PriceTrain.model_construct(number_loss=2.0, number_loss_form="auto")
    token_loss = loss(encoder, train).of_targets
    assert isinstance(token_loss, TokenError)
    assert (sorted(token_loss.values.tolist()), token_loss.weight) == (list(range(51)), 0.02)
    assert row(7_960.5).for_prompt(asked).completion == "50"


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("₹1,29,900", 129_900), ("₹ 1,299.50", 1299.5), ("INR 1,299", 1299), ("1,299 INR", 1299),
        ("129900", 129_900), ("$5", None), ("5 USD", None), ("1,299", None), ("1,29,9", None),
    ],
)  # fmt: skip
def test_amounts_are_written_in_the_task_s_own_currency(text, price):
    rows = registry.rows("price", RUPEES)
    raw = {"id": 1, "text": "A lamp, ₹1,29,900", "price": text}
    if price is None:
        with pytest.raises(ValueError, match=r"number, such as 12.5 or ₹1,299|write ₹1,299"):
            rows.clean(raw)
        return
    cleaned = rows.clean(raw)
    assert cleaned.price == price
    assert cleaned.answer_in_input == (price == 129_900)
    found = set(rows.peculiarities(raw))
    assert found >= {"some_price_in_description"}
    assert ("price_above_maximum" in found) == (price == 129_900)


@pytest.mark.parametrize("other", [{"unit": 100}, {"unit": 1e6}, {"unit": 0.1}, {"maximum": 20}])
def test_the_prepared_rows_are_the_same_in_every_unit(other):
    raw = [
        {"id": n, "place": n, "text": f"A lamp of {n % 30} cm", "price": 3 * (n % 70)}
        for n in range(200)
    ]

    def prepared(**answer: object) -> tuple[dict[str, list[dict]], dict[str, int]]:
        rows = registry.rows("price", prompt(currency="INR", **answer))
        train = Split.of(cleaning.clean(raw, rows, "train").rows)
        cleaning.drop_unusable(train)
        splits = {"train": train}
        splitting.split_off_validation(splits, 0.2, 42)
        kept = {name: [each.model_dump() for each in s.rows] for name, s in splits.items()}
        return kept, train.counts["dropped_duplicates"]

    assert prepared(**other) == prepared()


@pytest.mark.parametrize("answer", ["₹500", "₹", "₹ 1,29,900.00", "INR 500", "inr500"])
def test_an_answer_at_the_end_of_a_text_goes_in_the_task_s_own_currency(answer):
    raw = {"id": 1, "text": f"A lamp\nPrice is {answer}\n", "price": 500}
    rows = registry.rows("price", RUPEES)
    assert rows.clean(raw).input == "A lamp"
    assert "answer_in_text" in set(rows.peculiarities(raw))
    assert "Price is" in registry.rows("price", prompt()).clean(raw).input
    dollars = {**raw, "text": "A lamp\nPrice is $500"}
    assert rows.clean(dollars).input == dollars["text"]


def test_scores_and_groups_are_in_the_currency():
    of = kind("price", None, RUPEES)
    assert of.metrics[0].heading == "mean absolute error (INR)"
    assert {metric.unit for metric in of.metrics} == {"INR", "%", ""}
    assert [of.groupings[1].group({"price": price})[1] for price in (149.0, 7_960.5, 60_000)] == [
        "0–2000 INR", "5000–10000 INR", "50000+ INR",
    ]  # fmt: skip
    tenths = kind("price", None, prompt(currency="EUR", unit=0.1)).groupings[1]
    assert tenths.group({"price": 3.5})[1] == "2–5 EUR"


def test_a_ranking_is_in_the_unit_of_the_run_s_parameters():
    def heading(**more: object) -> str:
        run = Run("a", {"tasks.mine.kind": "price", **more}, {"mine": "price"}, {"mine": []})
        return ranking.primary(run, "mine").heading

    assert heading() == "mean absolute error (USD)"
    said = heading(**{"tasks.mine.prompt.answer.currency": "INR"})
    assert said == "mean absolute error (INR)"


def test_the_report_speaks_of_the_currency_alone():
    of = kind("price", None, RUPEES)
    train = PriceTrain.model_construct(number_loss=2.0)
    assert "2 times the expected error in 10,000 INR;" in of.report.loss(train)
    assert of.report.series[1].label == "price in INR"
    estimates = {name: {"mae": 1.0, "low": 0.5, "high": 2.0} for name in ("median", "greedy")}
    tuned = [{"id": 1, "prediction": 900.0, "reference": 1000.0, "absolute_error": 100.0}]
    artifacts = TaskArtifacts(
        task="rupees",
        kind=of,
        metrics={
            "tuned": {"outside": 1.0, "crps": 3.0, "crps_charged": 4.0, "estimates": estimates}
        },
        predictions={"tuned": tuned},
    )
    quality = of.report.quality("t1", artifacts)
    said = " ".join(
        [
            *(
                f"{figure.heading} {figure.caption} {figure.svg}"
                for figure in quality.before_groups
            ),
            *(cell for table in quality.tables for cell in table.head),
            str(quality.examples),
            *of.report.notes(artifacts),
            *(f"{metric.heading} {metric.meaning}" for metric in of.metrics),
        ]
    )
    assert "predicted INR, log axis" in said
    assert "The worst misses of the tuned model, in INR" in said
    assert "MAE (INR)" in said
    assert "4.00\N{NO-BREAK SPACE}INR" in said
    assert "USD" not in said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            "{maximum: 9999}",
            "maximum: is 9999, must be 999 at most, as tokenizers that have numbers",
        ),
        ("{unit: 0}", "unit: is 0, must be greater than or equal to 0.01"),
        ("{currency: 5 €}", "currency: is '5 €', must match pattern"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(repository, answer, said):
    text = Path("params.yaml").read_text(encoding="utf-8")
    old = "answer:\n        currency: INR\n        unit: 100\n        maximum: 999\n"
    assert old in text
    with pytest.raises(ParamsError) as raised:
        params.validate_text(text.replace(old, f"answer: {answer}\n"), "params.yaml")
    assert f"tasks.rupees.prompt.answer.{said}" in str(raised.value)
    assert "\n" not in str(raised.value)
