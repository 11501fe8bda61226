from finetune.scoring import neighbours

CORPUS = ["the red house", "the blue house", "a red car"]


def test_the_most_similar_text_is_found_by_its_words():
    search = neighbours.nearest(CORPUS)
    assert search(["A blue, blue door", "the car"], CORPUS) == [1, 2]


def test_rare_words_weigh_more():
    corpus = ["the the a", *["the house"] * 9, "zebra"]
    assert neighbours.nearest(corpus)(["the zebra"], corpus) == [10]


def test_candidates_need_not_be_the_corpus():
    search = neighbours.nearest(CORPUS)
    assert search(["the red one"], ["nothing of it", "so red", "blue"]) == [1]


def test_of_equals_and_without_a_shared_word_the_first_is_found():
    search = neighbours.nearest(CORPUS)
    assert search(["house", "unknown words", ""], ["a house", "a house"]) == [0, 0, 0]


def test_a_corpus_without_words_finds_the_first():
    assert neighbours.nearest(["", "?!"])(["x"], ["a", "b"]) == [0]


def test_no_queries_find_nothing():
    assert neighbours.nearest(CORPUS)([], CORPUS) == []


def test_batches_change_nothing(monkeypatch):
    whole = neighbours.nearest(CORPUS)(CORPUS * 3, CORPUS)
    monkeypatch.setattr(neighbours, "BATCH_VALUES", 4)
    assert neighbours.nearest(CORPUS)(CORPUS * 3, CORPUS) == whole == [0, 1, 2] * 3
