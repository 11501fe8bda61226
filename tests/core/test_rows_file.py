import json

import pytest

from finetune.core import paths
from finetune.core.files import write_jsonl
from finetune.core.rows_file import RowsFile, for_prompt, prepared, statistic
from finetune.tasks.price.options import Answer, PricePrompt
from finetune.tasks.price.rows import Row

PROMPT = PricePrompt(
    instruction="Price?", cue="$", max_tokens=32, max_completion_tokens=4, answer=Answer(unit=100)
)
ROWS = [Row(id=str(n), text=f"A lamp of {n} watts", price=100.0 * n, category=None) for n in (1, 2)]


@pytest.fixture
def file(tmp_path):
    write_jsonl(tmp_path / paths.prepared("price") / "train.jsonl", map(Row.model_dump, ROWS))
    return prepared("price", "train", Row, tmp_path)


def test_rows_are_those_of_the_kind(file):
    assert list(file) == ROWS
    assert [row.completion for row in file] == ["100", "200"]


def test_under_a_prompt_rows_are_what_a_list_of_them_would_be(file):
    prompted = for_prompt(file, PROMPT)
    assert [row.completion for row in prompted] == ["1", "2"]
    assert list(prompted) == list(for_prompt(ROWS, PROMPT))
    assert for_prompt(file, PROMPT) is prompted
    assert file[0].completion == "100"


def test_a_statistic_goes_through_the_file_once(file):
    asked = []

    def total(rows):
        asked.append(len(rows))
        return sum(row.price for row in rows)

    assert [statistic(file, total), statistic(file, total), statistic(ROWS, total)] == [300.0] * 3
    assert asked == [2, 2]
    assert statistic(for_prompt(file, PROMPT), total) == 300.0


def test_a_row_that_is_not_asked_for_is_not_read(tmp_path):
    whole = json.dumps(ROWS[0].model_dump())
    (tmp_path / "train.jsonl").write_text(f'{whole}\n{{"id": 1}}\n')
    assert RowsFile(tmp_path / "train.jsonl", Row)[0] == ROWS[0]
