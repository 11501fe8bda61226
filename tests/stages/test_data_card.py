import pytest

from finetune.core import paths
from finetune.core.files import read_json, write_json
from finetune.stages import data_card


@pytest.fixture
def params(declared):
    """The parameters of two tasks, with their data.json and source.json."""
    for task in ("samsum", "price"):
        counts = {split: {"rows": 6, "kept": 6} for split in paths.SPLITS}
        write_json(paths.metrics(task, "data"), {task: {"data": counts}})
        write_json(paths.raw(task) / "source.json", {"source": "embedded", "licence": "MIT"})
    return declared


@pytest.mark.parametrize(
    ("task", "measure"), [("samsum", "Speakers of a dialogue"), ("price", "Price (USD)")]
)
def test_it_writes_the_card_for_people_and_for_the_report(params, task, measure):
    data_card.run(params(name=task), task)
    card = read_json(paths.data_card(task))
    assert card["rows"] == {"train": 6, "validation": 4, "test": 6}
    assert len(card["examples"]) == 3
    text = paths.data_card_page(task).read_text(encoding="utf-8")
    assert text.startswith(f"# Data of {task}\n\nLicence: MIT. Rows that a model sees: train 6,")
    assert f"## {measure}" in text
    assert "Too few rows of train or test to say whether they are alike." in text


def test_it_is_the_same_twice(params):
    data_card.run(params(), "samsum")
    files = (paths.data_card("samsum"), paths.data_card_page("samsum"))
    before = [file.read_bytes() for file in files]
    data_card.run(params(), "samsum")
    assert [file.read_bytes() for file in files] == before
