import itertools

import pytest
import torch

from synthetic.pretraining import corpus, make, tokenizer


@pytest.fixture(scope="module")
def tok():
    return tokenizer.train(itertools.islice(corpus.documents(0), 300), 1800, context=1024)


def documents():
    yield from itertools.cycle(["Short.", "One two three.\n\nThree two one.", "A B C D E F G H"])


def test_a_batch_holds_whole_documents_and_padding_is_not_learned(tok):
    ids, weights = next(make.batches(tok, documents(), batch_tokens=60))
    assert ids.numel() <= 60
    for row, counts in zip(ids.tolist(), weights.tolist(), strict=True):
        end = row.index(tok.eos_token_id)
        assert row[0] == tok.bos_token_id
        assert counts[0] == 0  # the first id is no target
        assert all(counts[1 : end + 1])
        assert set(row[end + 1 :]) <= {tok.pad_token_id}
        assert not any(counts[end + 1 :])


def test_the_text_that_is_looked_back_into_counts_less(tok):
    for ids, weights in itertools.islice(make.batches(tok, documents(), 60), 40):
        for row, counts in zip(ids.tolist(), weights.tolist(), strict=True):
            text = tok.decode(row, skip_special_tokens=True)
            before, blank, _ = text.partition("\n\n")
            cheap = [one for one, count in zip(row, counts, strict=True) if count == 20]
            assert tok.decode(cheap) == (before + blank if blank else "")


def test_documents_of_like_length_share_a_batch(tok):
    taken = itertools.islice(make.batches(tok, corpus.documents(1), 3072), 30)
    shares = [float((weights[:, 1:] > 0).float().mean()) for _, weights in taken]
    assert sum(shares) / len(shares) > 0.9


def test_the_loss_is_the_weighted_mean_over_targets():
    class Uniform:
        def __call__(self, input_ids):
            logits = torch.zeros(*input_ids.shape, 4)
            logits[0, 0, 1] = 2.0
            return type("Output", (), {"logits": logits})

    batch = torch.tensor([[[0, 1, 2]], [[0, 20, 100]]])
    sharp = -torch.tensor([0.0, 2.0, 0.0, 0.0]).log_softmax(0)[1]
    expected = (20 * sharp + 100 * torch.tensor(4.0).log()) / 120
    assert make.next_token_loss(Uniform(), batch).item() == pytest.approx(expected.item())
