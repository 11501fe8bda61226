import pytest

from finetune.core import processes
from finetune.modeling import batches as module
from finetune.modeling.batches import batches, in_batches, pad_left, within_budget


def test_padding_stands_on_the_left_and_is_masked():
    ids, mask = pad_left([[5, 6, 7], [8]], pad_id=0)
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_answers_come_back_in_the_order_of_the_texts():
    lengths = [1 + n * 7 % 5 for n in range(23)]
    seen = []

    def numbers(chosen: list[int]) -> list[int]:
        seen.extend(lengths[i] for i in chosen)
        return chosen

    assert in_batches(lengths, within_budget(12), "test", numbers) == list(range(23))
    assert seen == sorted(lengths, reverse=True)


class Bar:
    """Stands for the progress bar."""

    def __init__(self, total: int) -> None:
        self.total, self.n = total, 0

    def update(self, rows: int) -> None:
        self.n += rows

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_progress_is_that_of_all_processes(monkeypatch, rank):
    lengths = [9, 8, 7, 6, 5, 4, 3]  # batches of one row
    bars = []
    monkeypatch.setattr(module, "bar", lambda *_, total: bars.append(Bar(total)) or bars[-1])
    monkeypatch.setenv("FINETUNE_RANK", str(rank))
    monkeypatch.setenv("FINETUNE_PROCESSES", "3")
    others = {i: i for i in range(7)}
    monkeypatch.setattr(processes, "gathered", lambda answers: [others, answers])
    seen = []

    def numbers(chosen: list[int]) -> list[int]:
        seen.extend(chosen)
        return chosen

    assert in_batches(lengths, lambda longest: 1, "test", numbers) == list(range(7))
    assert seen == list(range(7))[rank::3]
    assert (bars[0].n, bars[0].total) == (7, 7)


def test_a_batch_holds_what_its_budget_allows_with_padding():
    lengths = [5, 1, 9, 4, 4, 30, 2]
    sizes = [[lengths[i] for i in batch] for batch in batches(lengths, within_budget(10))]
    # The longest does not fit, and is a batch by itself; the last is not full.
    assert sizes == [[30], [9], [5, 4], [4, 2], [1]]


def test_texts_without_tokens_are_a_batch_too():
    assert list(batches([0, 0], within_budget(2))) == [[0, 1]]
