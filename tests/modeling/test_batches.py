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


def test_a_batch_holds_what_its_budget_allows_with_padding():
    lengths = [5, 1, 9, 4, 4, 30, 2]
    sizes = [[lengths[i] for i in batch] for batch in batches(lengths, within_budget(10))]
    # The longest does not fit, and is a batch by itself; the last is not full.
    assert sizes == [[30], [9], [5, 4], [4, 2], [1]]


def test_texts_without_tokens_are_a_batch_too():
    assert list(batches([0, 0], within_budget(2))) == [[0, 1]]
