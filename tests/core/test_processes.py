import pytest
import torch

from finetune.core import processes


def of_rank(monkeypatch, rank: int, count: int) -> None:
    monkeypatch.setenv("FINETUNE_RANK", str(rank))
    monkeypatch.setenv("FINETUNE_PROCESSES", str(count))


def test_alone_a_process_is_the_main_one_and_nothing_is_communicated():
    assert processes.is_main()
    assert processes.share([3, 1, 2]) == [0, 1, 2]
    assert processes.gathered("x") == ["x"]
    assert processes.from_main(lambda: 3) == 3
    processes.barrier()
    processes.disconnect()
    weights = torch.nn.Parameter(torch.ones(2))
    loss = torch.tensor(2.0)
    processes.sum_gradients([weights], loss)
    processes.copy_from_main([weights])
    assert weights.grad is None
    assert loss == 2


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_text_is_one_rank_s_and_each_rank_has_about_as_many_tokens(monkeypatch, count):
    lengths = [5, 90, 7, 7, 30, 31, 6]
    shares = []
    for rank in range(count):
        of_rank(monkeypatch, rank, count)
        shares.append(processes.share(lengths))
        assert processes.is_main() == (rank == 0)
    assert sorted(i for share in shares for i in share) == list(range(7))
    tokens = [sum(lengths[i] for i in share) for share in shares]
    assert max(tokens) - min(tokens) <= max(lengths)
    assert all(share == sorted(share) for share in shares)


def test_more_ranks_than_texts_leave_some_without(monkeypatch):
    of_rank(monkeypatch, 2, 3)
    assert processes.share([1, 2]) == []


def test_gradients_are_summed_in_buffers_of_bounded_size(monkeypatch):
    monkeypatch.setattr(processes, "BUFFER", 10)
    parameters = [torch.nn.Parameter(torch.zeros(size)) for size in (4, 6, 1, 25, 3)]
    groups = processes._buffers(parameters)
    assert [[p.numel() for p in group] for group in groups] == [[4, 6], [1], [25], [3]]


class Doubling:
    """Communication with another rank that has what this one has."""

    def all_reduce(self, tensor: torch.Tensor) -> None:
        tensor.mul_(2)


def test_a_parameter_without_rows_counts_as_zero_and_without_any_gradient_stays_so(monkeypatch):
    of_rank(monkeypatch, 0, 2)
    monkeypatch.setattr(processes, "_connected", lambda communicate: communicate(Doubling()))
    used, unused, frozen = (torch.nn.Parameter(torch.zeros(3)) for _ in range(3))
    frozen.requires_grad = False
    narrow = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.bfloat16))
    used.grad = torch.tensor([1.0, 2.0, 3.0])
    narrow.grad = torch.full((2, 2), 0.5, dtype=torch.bfloat16)
    loss = torch.tensor(1.5)
    processes.sum_gradients([used, unused, frozen, narrow], loss)
    assert used.grad.tolist() == [2, 4, 6]
    assert narrow.grad.tolist() == [[1, 1], [1, 1]]
    assert narrow.grad.dtype == torch.bfloat16
    assert unused.grad is None
    assert frozen.grad is None
    assert loss == 3


def test_a_rank_that_cannot_reach_another_leaves_the_word_to_its_parent(
    monkeypatch, capsys, tmp_path
):
    of_rank(monkeypatch, 0, 2)
    monkeypatch.setenv("FINETUNE_REPORTS", str(tmp_path))

    def lost(_):
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(processes.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        processes._connected(lost)
    assert ended.value.code == processes.LOST
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "0").read_text() == "Connection closed by peer"


def test_what_does_not_fit_into_memory_is_not_taken_for_a_lost_rank(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)

    def full(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        processes._connected(full)
