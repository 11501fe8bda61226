from finetune.core.files import read_json, write_json
from finetune.reporting import tables


def cells(table: str) -> list[list[str]]:
    """The cells of a Markdown table, without its ruler."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [lines[0], *lines[2:]]


def test_metric_files_are_read_without_the_nesting_of_dvcs_columns(folder):
    metrics = tables.read(folder, "chats")
    assert list(metrics) == ["data", "ladder", "base", "train", "tuned"]
    assert metrics["data"]["train"]["rows"] == 1500
    assert metrics["ladder"]["lead3"]["rouge1"] == 30
    assert metrics["base"]["rouge1"] == 20
    assert metrics["train"]["steps"] == 282
    assert metrics["tuned"]["gain"]["rouge1"]["mean"] == 20.114


def test_files_that_are_not_there_yet_are_left_out(folder):
    (folder / "chats/tuned.json").unlink()
    assert "tuned" not in tables.read(folder, "chats")
    assert tables.read(folder, "others") == {}


def test_results_have_a_row_for_each_rung_and_model_and_an_interval_for_each_score(folder):
    table = cells(tables.results(tables.read(folder, "chats"), "summarization"))
    assert table[0] == ["", "ROUGE-1", "ROUGE-2", "ROUGE-L", "rows"]
    assert [row[0] for row in table[1:]] == ["lead3", "longest3", "base model", "**tuned**"]
    assert table[1] == ["lead3", *["30.00 [29.00, 31.25]"] * 3, "300"]
    assert table[4][1] == "40.12 [39.12, 41.38]"


def test_results_before_there_is_a_model_are_those_of_the_ladder(folder):
    for name in ("base", "tuned"):
        (folder / f"chats/{name}.json").unlink()
    table = cells(tables.results(tables.read(folder, "chats"), "summarization"))
    assert [row[0] for row in table[1:]] == ["lead3", "longest3"]


def test_prices_have_columns_of_their_own():
    ends = {"low": 10.0, "high": 12.0}
    scores = {"mae": 11.0, "hits": 64.3333, "n": 1500, "interval": {"mae": ends, "hits": ends}}
    assert cells(tables.results({"base": scores}, "price")) == [
        ["", "MAE (USD)", "hits (%)", "rows"],
        ["base model", "11.00 [10.00, 12.00]", "64.33 [10.00, 12.00]", "1500"],
    ]


def test_point_estimates_stand_beside_the_medians():
    ends = {"mean": -3.25, "low": -4.0, "high": -2.0}
    tuned = {
        "gain": {"mae": ends, "hits": ends},
        "estimates": {
            "greedy": {"mae": 11.5, "difference": {"mean": 1.5, "low": -0.5, "high": 3.0}},
            "median": {"mae": 10.0},
        },
    }
    gain, estimates = tables.remarks({"tuned": tuned}, "price")
    assert gain.startswith("Gain of tuned over base, paired: MAE (USD) -3.25 [-4.00, -2.00]")
    assert estimates.endswith("median 10.00, greedy 11.50 (+1.50 [-0.50, 3.00]).")


def test_a_gain_has_its_sign_and_its_interval(folder):
    line = tables.gains_line(tables.read(folder, "chats"), "summarization")
    assert line.startswith("ROUGE-1 +20.11 [-0.50, 21.50], ROUGE-2 +20.11 ")
    ends = {"mean": -3.25, "low": -4.0, "high": -2.0}
    line = tables.gains_line({"tuned": {"gain": {"mae": ends, "hits": ends}}}, "price")
    assert line == "MAE (USD) -3.25 [-4.00, -2.00], hits (%) -3.25 [-4.00, -2.00]"


def test_examples_in_the_prompt_have_a_row_and_a_bound_is_named_one(folder):
    metrics = tables.read(folder, "chats")
    metrics["few_shot"] = metrics["base"]
    metrics["ladder"]["longest3"]["protocol"] = {"bound": True}
    rows = cells(tables.results(metrics, "summarization"))[1:]
    assert [row[0] for row in rows] == [
        "lead3", "longest3 (bound)", "base model", "base, few-shot", "**tuned**",
    ]  # fmt: skip


def test_examples_in_the_prompt_are_read_where_there_were_any(folder):
    file = folder / "chats/base.json"
    metrics = read_json(file)
    write_json(file, {"chats": {**metrics["chats"], "few_shot": metrics["chats"]["base"]}})
    assert tables.read(folder, "chats")["few_shot"]["n"] == 300
    write_json(file, {"chats": {**metrics["chats"], "few_shot": {}}})
    assert "few_shot" not in tables.read(folder, "chats")
