import dataclasses

from finetune.core.files import read_json, write_json
from finetune.reporting import tables
from finetune.scoring.metrics import Metric

ROUGE = [
    Metric(key=key, columns=(key,), title=title, unit="points", in_readme=in_readme)
    for key, title, in_readme in (
        ("rouge1", "ROUGE-1", True),
        ("rouge2", "ROUGE-2", True),
        ("rougeL", "ROUGE-L", False),
    )
]


def cells(table: str) -> list[list[str]]:
    """The cells of a Markdown table, without its ruler."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [lines[0], *lines[2:]]


def test_metric_files_are_read_without_the_nesting_of_dvcs_columns(folder):
    metrics = tables.read(folder, "chats")
    assert list(metrics) == ["data", "baselines", "base", "train", "tuned"]
    assert metrics["data"]["train"]["rows"] == 1500
    assert metrics["baselines"]["lead3"]["rouge1"] == 30
    assert metrics["base"]["rouge1"] == 20
    assert metrics["train"]["steps"] == 282
    assert metrics["tuned"]["gain"]["rouge1"]["mean"] == 20.114


def test_files_that_are_not_there_yet_are_left_out(folder):
    (folder / "chats/tuned.json").unlink()
    assert "tuned" not in tables.read(folder, "chats")
    assert tables.read(folder, "others") == {}


def test_results_have_a_row_for_each_baseline_and_model_and_an_interval_for_each_score(folder):
    table = cells(tables.results(tables.read(folder, "chats"), ROUGE))
    assert table[0] == ["", "ROUGE-1 (points)", "ROUGE-2 (points)", "rows"]
    assert [row[0] for row in table[1:]] == ["lead3", "longest3", "base model", "**tuned**"]
    assert table[1] == ["lead3", *["30.00 [29.00, 31.25]"] * 2, "300"]
    assert table[4][1] == "40.12 [39.12, 41.38]"


def test_short_results_have_the_best_baseline_alone(folder):
    metrics = tables.read(folder, "chats")
    metrics["few_shot"] = metrics["base"]
    baselines = metrics["baselines"]
    # By test it would be longest3, as it has more there.
    for name, points in (("lead3", 33), ("longest3", 32)):
        baselines[name]["validation"] = {"rouge1": points, "n": 50}
    best = {**baselines["lead3"], "rouge1": 90, "validation": {"rouge1": 90, "n": 50}}
    baselines["oracle"] = {**best, "protocol": {"oracle": True}}
    baselines["human"] = {key: value for key, value in best.items() if key != "validation"}

    def names(declared: list[Metric]) -> list[str]:
        return [row[0] for row in cells(tables.short_results(metrics, declared))[1:]]

    models = ["base model", "base, few-shot", "**tuned**"]
    assert names(ROUGE) == ["best baseline by validation: lead3", *models]
    lower = [dataclasses.replace(metric, higher_is_better=False) for metric in ROUGE]
    assert names(lower) == ["best baseline by validation: longest3", *models]
    del metrics["baselines"]
    assert names(ROUGE) == models


def test_results_before_there_is_a_model_are_those_of_the_baselines(folder):
    for name in ("base", "tuned"):
        (folder / f"chats/{name}.json").unlink()
    table = cells(tables.results(tables.read(folder, "chats"), ROUGE))
    assert [row[0] for row in table[1:]] == ["lead3", "longest3"]


def test_a_score_that_is_not_there_is_a_dash_and_one_without_interval_alone():
    scores = {"rouge1": 11.0, "n": 1500, "interval": {}}
    (row,) = cells(tables.results({"base": scores}, ROUGE))[1:]
    assert row == ["base model", "11.00", "–", "1500"]


def test_remarks_are_the_gain_and_the_kinds_own(folder, kind):
    gain, own = tables.remarks(tables.read(folder, "chats"), ROUGE, kind.report)
    assert gain.startswith(
        "Gain of tuned over base, paired: ROUGE-1 (points) +20.11 [-0.50, 21.50]"
    )
    assert own == "As the crow flies."


def test_the_spread_over_draws_is_a_remark(folder, kind):
    metrics = tables.read(folder, "chats")
    spread = {"low": 17.2, "high": 18.4}
    metrics["few_shot"] = {
        **metrics["base"],
        "draws": {
            "n": 3,
            "of": "examples",
            "rouge1": spread,
            "rouge2": {"low": 4.4, "high": 4.4},
            "rougeL": spread,
        },
    }
    _, drawn, _ = tables.remarks(metrics, ROUGE, kind.report)
    assert drawn == (
        "base, few-shot, over 3 draws of examples: ROUGE-1 (points) 17.20 to 18.40, ROUGE-2 "
        "(points) 4.40."
    )


def test_a_gain_has_its_sign_and_its_interval(folder):
    line = tables.gains_line(tables.read(folder, "chats"), ROUGE)
    assert line.startswith("ROUGE-1 (points) +20.11 [-0.50, 21.50], ROUGE-2 (points) +20.11 ")
    ends = {"mean": -3.25, "low": -4.0, "high": -2.0}
    line = tables.gains_line({"tuned": {"gain": {"rouge1": ends}}}, ROUGE)
    assert line == "ROUGE-1 (points) -3.25 [-4.00, -2.00]"


def test_examples_in_the_prompt_have_a_row_and_an_oracle_is_named_one(folder):
    metrics = tables.read(folder, "chats")
    metrics["few_shot"] = metrics["base"]
    metrics["baselines"]["longest3"]["protocol"] = {"oracle": True}
    rows = cells(tables.results(metrics, ROUGE))[1:]
    assert [row[0] for row in rows] == [
        "lead3", "longest3 (oracle)", "base model", "base, few-shot", "**tuned**",
    ]  # fmt: skip


def test_examples_in_the_prompt_are_read_where_there_were_any(folder):
    file = folder / "chats/base.json"
    metrics = read_json(file)
    write_json(file, {"chats": {**metrics["chats"], "few_shot": metrics["chats"]["base"]}})
    assert tables.read(folder, "chats")["few_shot"]["n"] == 300
    write_json(file, {"chats": {**metrics["chats"], "few_shot": {}}})
    assert "few_shot" not in tables.read(folder, "chats")


def test_models_that_never_answer_the_same_row_have_no_gain(folder):
    metrics = tables.read(folder, "chats")
    metrics["tuned"]["gain"] = {}
    assert tables.gain_remark(metrics, ROUGE) == (
        "No gain: there is no row that both models answered."
    )
