from contextlib import chdir

from finetune.core.files import read_jsonl, read_tsv
from finetune.reporting import material, plots
from finetune.reporting.material import Material


def test_the_ladder_and_the_prices_are_tables(finished, tmp_path):
    with chdir(finished):
        plots.write(material.read("price", "price"), tmp_path)
    ladder = read_tsv(tmp_path / "ladder.tsv")
    assert [row["name"] for row in ladder] == [
        "median", "boosting", "human", "base model", "base, few-shot", "tuned",
    ]  # fmt: skip
    assert all(float(r["low"]) <= float(r["score"]) <= float(r["high"]) for r in ladder)
    predicted = read_tsv(tmp_path / "predicted.tsv")
    rows = read_jsonl(finished / "predictions/price/tuned.jsonl")
    assert [float(row["prediction"]) for row in predicted] == [row["prediction"] for row in rows]
    assert list(predicted[0]) == ["reference", "prediction"]


def test_summaries_have_no_prices_and_nothing_scored_is_an_empty_table(tmp_path):
    plots.write(Material("chats", "summarization"), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["ladder.tsv"]
    assert (tmp_path / "ladder.tsv").read_text() == "name\tscore\tlow\thigh\n"
