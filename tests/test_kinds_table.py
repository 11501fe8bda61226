import pytest

from finetune import cli, kinds_table
from finetune.tasks import registry


def lines(kind: str) -> dict[tuple[str, str], str]:
    """What is said of each field, metric and baseline of a kind."""
    _, *rows = kinds_table.table(kind).splitlines()
    cells = (row.split(maxsplit=2) for row in rows)
    return {(what, name): said for what, name, said in cells}


def test_a_kind_is_listed_with_its_fields_metrics_and_baselines():
    table = lines("summarization")
    assert kinds_table.table("summarization").startswith("summarization: summaries of dialogues\n")
    assert table["field", "dialogue"] == "required, what the model reads"
    assert table["field", "summary"] == "required, may be a list of columns"
    assert table["metric", "rouge1"].startswith("ROUGE-1 (points), primary, higher is better: ")
    assert table["metric", "perplexity"].startswith("lower is better: ")
    assert table["baseline", "oracle3"] == "the best three lines (oracle: sees the reference)"
    assert table["baseline", "lead1"] == "the first line"
    assert lines("price")["field", "category"] == "optional"
    of_price = lines("price")["metric", "mae"]
    assert of_price.startswith("mean absolute error (USD), as prompt.answer.currency says, primary")


@pytest.mark.parametrize("kind", registry.names())
def test_one_metric_is_primary_and_nothing_is_left_out(kind):
    table = lines(kind)
    fields = registry.options(kind).Task.fields
    assert {name for what, name in table if what == "field"} == fields.required | fields.optional
    metrics = [metric.key for metric in registry.scores(kind).METRICS]
    assert [name for what, name in table if what == "metric"] == metrics
    primary = [key for key, said in table.items() if "primary" in said.partition(":")[0]]
    assert primary == [("metric", metrics[0])]
    baselines = registry.baselines(kind).BASELINES
    assert [name for what, name in table if what == "baseline"] == [b.name for b in baselines]
    oracles = {name for (what, name), said in table.items() if "(oracle" in said}
    assert oracles == {baseline.name for baseline in baselines if baseline.is_oracle}


def test_the_command_lists_every_kind(capsys, tmp_path):
    options = cli.parser().parse_args(["kinds"])
    assert options.run(tmp_path, options) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    assert [block.partition(":")[0] for block in blocks] == registry.names()
