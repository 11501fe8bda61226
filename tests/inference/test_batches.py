import torch

from finetune.inference.batches import in_batches, pad_left


def test_padding_stands_on_the_left_and_is_masked():
    ids, mask = pad_left([[5, 6, 7], [8]], pad_id=0)
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_answers_come_back_in_the_order_of_the_prompts():
    prompts = [[n] * (1 + n * 7 % 5) for n in range(23)]
    widths = []

    def last_id(ids: torch.Tensor, mask: torch.Tensor) -> list[int]:
        widths.append(ids.shape)
        return ids[:, -1].tolist()

    assert in_batches(prompts, 4, 0, "test", last_id) == list(range(23))
    assert [rows for rows, _ in widths] == [4, 4, 4, 4, 4, 3]
    assert [width for _, width in widths] == sorted((w for _, w in widths), reverse=True)
