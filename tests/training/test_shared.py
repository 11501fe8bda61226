import pytest

from finetune.core.errors import DataError
from finetune.modeling.prompts import Encoded
from finetune.tasks.summarization.rows import Row
from finetune.training.shared import together


class Encoder:
    """Marks the rows of one task: the first token is the task's, the second the row's number."""

    def __init__(self, task: int, learned: int = 1) -> None:
        self.task, self.learned = task, learned
        self.prompt, self.max_prompt_tokens = self, 10 * task
        self.max_completion_tokens = 5

    def encode(self, text: str) -> Encoded:
        return Encoded([self.task, int(text)], truncated=self.task == 2)

    def encode_completion(self, text: str) -> Encoded:
        return Encoded([7] * self.learned, truncated=False)


def rows(count: int) -> list[Row]:
    return [Row(id=str(n), dialogue=str(n), summary="x") for n in range(count)]


def test_examples_of_several_tasks_are_in_the_proportions_of_their_weights():
    tasks, encoders = [rows(40), rows(30), rows(5)], [Encoder(1), Encoder(2), Encoder(3)]
    mixed = together(tasks, encoders, [1.0, 0.5, 0.25], seed=1)
    assert [each["input_ids"][0] for each in mixed] == [1] * 20 + [2] * 10 + [3] * 5
    assert (mixed.truncated.prompts, mixed.truncated.completions) == (10, 0)
    assert mixed[0]["labels"] == [-100, -100, 7]


def test_each_task_keeps_the_order_of_its_rows():
    mixed = together([rows(9), rows(3)], [Encoder(1), Encoder(2)], [1.0, 1.0], seed=2)
    numbers = [each["input_ids"][1] for each in mixed]
    assert numbers[:3] == sorted(numbers[:3])
    assert numbers[3:] == [0, 1, 2]


def test_rows_without_a_target_are_refused_as_those_of_one_task_are():
    with pytest.raises(DataError, match="3 of 6 rows have no token to learn from"):
        together([rows(3), rows(3)], [Encoder(1), Encoder(2, learned=0)], [1.0, 1.0], seed=1)
