import pytest

from finetune.scoring.rouge import rouge


@pytest.mark.parametrize(
    ("prediction", "reference", "rouge1", "rouge2", "rouge_l"),
    [
        # 3 of 3 words and 2 of 2 pairs are right, of 6 and 5: F1 = 2 PR / (P + R).
        ("the cat sat", "the cat sat on the mat", 200 / 3, 400 / 7, 200 / 3),
        # All words, no pair; one of two in order.
        ("cat the", "the cat", 100, 0, 50),
        # 2 of 4 words, and a word counts as often as in the other text.
        ("the the the cat", "the cat", 200 / 3, 50, 200 / 3),
        ("a dog", "the cat", 0, 0, 0),
        ("The cat!", "the, cat", 100, 100, 100),
        ("", "the cat", 0, 0, 0),
        (" \n", "the cat", 0, 0, 0),
    ],
)
def test_f1_is_that_of_words_pairs_and_the_longest_common_subsequence(
    prediction, reference, rouge1, rouge2, rouge_l
):
    (row,) = rouge([(prediction, reference)], stemmer=False)
    assert row["rouge1"] == pytest.approx(rouge1)
    assert row["rouge2"] == pytest.approx(rouge2)
    assert row["rougeL"] == pytest.approx(rouge_l)
    assert row["rougeLsum"] == pytest.approx(rouge_l)


def test_the_stemmer_takes_forms_of_a_word_for_one():
    pairs = [("cats running", "cat runs")]
    assert rouge(pairs, stemmer=False)[0]["rouge1"] == 0
    assert rouge(pairs, stemmer=True)[0]["rouge1"] == 100


@pytest.mark.parametrize(
    ("prediction", "reference"),
    [
        ("one two\nthree four", "three four\none two"),
        ("One two. Three four.", "Three four. One two."),
        ("One two. Three four.", "Three four\nOne two"),
    ],
)
def test_lsum_goes_by_sentences_and_lines_of_both_sides_and_l_does_not(prediction, reference):
    (row,) = rouge([(prediction, reference)], stemmer=False)
    assert row["rougeL"] == pytest.approx(50)
    assert row["rougeLsum"] == pytest.approx(100)
    several = rouge([(prediction, ["none of it", reference])], stemmer=False)
    assert several == [row]


def test_only_what_is_asked_for_is_computed(monkeypatch):
    monkeypatch.setattr("finetune.scoring.sentences.split", None)
    (row,) = rouge([("A b. C d.", "A b. C d.")], stemmer=True, names=("rouge1", "rougeL"))
    assert row == {"rouge1": 100, "rougeL": 100}


def test_rows_come_back_in_the_order_of_their_pairs():
    rows = rouge(iter([("a", "a"), ("a", "b"), ("b", "b")]), stemmer=True)
    assert [row["rouge1"] for row in rows] == [100, 0, 100]


def test_of_several_references_each_score_is_the_best_one_s():
    # ROUGE-1 is best against the first, ROUGE-2 and -L against the second.
    prediction, references = "a b c d", ["d c b a", "a b c x y"]
    (row,) = rouge([(prediction, references)], stemmer=False)
    alone = rouge([(prediction, reference) for reference in references], stemmer=False)
    assert row == {name: max(one[name] for one in alone) for name in row}
    assert row["rouge1"] == alone[0]["rouge1"] > alone[1]["rouge1"]
    assert row["rouge2"] == alone[1]["rouge2"] > alone[0]["rouge2"]


def test_half_a_surrogate_pair_scores_nothing_and_stops_nothing():
    rows = rouge([("the \ud83d cat", "the cat"), ("the cat", "\ud83d the cat")], stemmer=True)
    assert [row["rouge1"] for row in rows] == [100, 100]
