import random

import numpy as np
from datasketch import MinHash

from finetune.data import minhash
from finetune.data.minhash import Signatures, shingle_hashes, signatures
from finetune.data.words import jaccard, shingles

WORDS = [f"word{n}" for n in range(50)]


def texts(count: int, words: int = 40) -> list[str]:
    drawn = random.Random(0)
    return [" ".join(drawn.choices(WORDS, k=words)) for _ in range(count)]


def hash_of(shingle: bytes) -> int:
    """The hash of a shingle, as a text that holds no other one has it."""
    (value,), _ = shingle_hashes([shingle.decode()], 3)
    return int(value)


def test_values_are_those_of_datasketch_for_the_same_hashes():
    for text in texts(5):
        theirs = MinHash(num_perm=64, scheme="affine32", hashfunc=hash_of)
        theirs.update_batch(shingles(text, 3))
        hashes, _ = shingle_hashes([text], 3)
        ours = minhash._minima(hashes, np.array([0]), 64)
        assert ours.tolist() == [theirs.hashvalues.tolist()]


def test_as_many_values_agree_as_shingles_are_shared():
    one = texts(1, 300)[0]
    other = one + " " + " ".join(f"new{n}" for n in range(150))
    values = signatures([one, other], 3, 1024, 32).sketch
    expected = jaccard(shingles(one, 3), shingles(other, 3))
    assert 0.5 < expected < 0.75
    assert abs((values[0] == values[1]).mean() - expected) < 0.05


def test_a_text_has_the_same_signature_in_any_batch_however_it_is_written():
    many = [*texts(20), "", "Hi", "!", " \n", "a b"]
    together = signatures(many, 3, 128, 32)
    alone = Signatures.joined([(signatures([text], 3, 128, 32), slice(None)) for text in many])
    loud = signatures([text.upper().replace(" ", "  ") for text in many], 3, 128, 32)
    for other in (alone, loud):
        assert (together.bands == other.bands).all()
        assert (together.sketch == other.sketch).all()
        assert together.is_blank.tolist() == other.is_blank.tolist()
    assert together.is_blank.tolist() == [text.strip() == "" for text in many]


def test_a_text_shorter_than_a_shingle_is_one_and_ends_where_it_ends():
    _, counts = shingle_hashes(["", "a", "a b", "a b c", "a b c d"], 3)
    assert counts.tolist() == [0, 1, 1, 1, 2]
    # What follows in the batch is no part of it.
    first, second = (shingle_hashes(["a b", text], 3)[0] for text in ("c d e", "x y z"))
    assert first[0] == second[0] != first[1]
    assert len({*shingle_hashes(["a", "a b", "a b c"], 3)[0].tolist()}) == 3


def test_half_a_character_has_a_signature():
    assert not signatures(["\ud83d is no text"], 3, 128, 32).is_blank.any()


def test_the_signatures_of_some_texts_are_taken():
    every = signatures(texts(6), 3, 128, 32)
    some = Signatures.joined([(every, np.array([4, 1])), (every, np.array([], np.int64))])
    assert (some.bands == every.bands[[4, 1]]).all()
    assert len(some.is_blank) == len(some.sketch) == 2
