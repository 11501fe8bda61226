from finetune.inference.batches import in_batches, pad_left


def test_padding_stands_on_the_left_and_is_masked():
    ids, mask = pad_left([[5, 6, 7], [8]], pad_id=0)
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_answers_come_back_in_the_order_of_the_texts():
    lengths = [1 + n * 7 % 5 for n in range(23)]
    seen = []

    def numbers(chosen: list[int]) -> list[int]:
        seen.append([lengths[i] for i in chosen])
        return chosen

    assert in_batches(lengths, 4, "test", numbers) == list(range(23))
    assert [len(batch) for batch in seen] == [4, 4, 4, 4, 4, 3]
    assert [length for batch in seen for length in batch] == sorted(lengths, reverse=True)
