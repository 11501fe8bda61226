from finetune.training.examples import Examples
from finetune.training.shared import together


def examples(task: int, count: int) -> Examples:
    return Examples(
        [{"input_ids": [task, n], "labels": [-100, n]} for n in range(count)],
        prompts_truncated=task, completions_truncated=10 * task, unlearned=1,
    )  # fmt: skip


def test_examples_of_several_tasks_are_in_the_proportions_of_their_weights():
    mixed = together([examples(1, 40), examples(2, 30), examples(3, 5)], [1.0, 0.5, 0.25], seed=1)
    tasks = [each["input_ids"][0] for each in mixed.examples]
    assert tasks == [1] * 20 + [2] * 10 + [3] * 5
    assert (mixed.prompts_truncated, mixed.completions_truncated, mixed.unlearned) == (6, 60, 3)


def test_each_task_keeps_the_order_of_its_examples():
    mixed = together([examples(1, 9), examples(2, 3)], [1.0, 1.0], seed=2)
    numbers = [each["input_ids"][1] for each in mixed.examples]
    assert numbers[:3] == sorted(numbers[:3])
    assert numbers[3:] == [0, 1, 2]
