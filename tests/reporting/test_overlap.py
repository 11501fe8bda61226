import pytest

from finetune.reporting.overlap import overlap


@pytest.mark.parametrize(
    ("said", "reference", "shared"),
    [
        ("Ann lends Bob a tent.", "Ann will lend Bob the tent", ["Ann", "Bob", "tent"]),
        ("She gives back the tent", "He gives back the boat", ["gives back the"]),
        ("ANN, Bob", "ann bob", ["ANN", "Bob"]),  # a comma is not blank
        ("the the the", "the end of the road", ["the the"]),  # as often as it is there
        ("Straße", "STRASSE", ["Straße"]),
        ("nothing alike", "quite different", []),
        ("", "anything", []),
        ("anything", "", []),
    ],
)
def test_words_of_the_reference_are_found(said, reference, shared):
    spans = overlap(said, reference)
    assert "".join(piece for piece, _ in spans) == said
    assert [piece for piece, is_shared in spans if is_shared] == shared


def test_blanks_markup_and_line_ends_are_kept():
    said = "  <b>Ann</b>\n\n& Bob …  "
    spans = overlap(said, "Bob Ann")
    assert "".join(piece for piece, _ in spans) == said
    assert [piece for piece, is_shared in spans if is_shared] == ["Ann", "Bob"]
