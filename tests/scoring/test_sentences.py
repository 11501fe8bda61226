"""Sentences of texts."""

import importlib.metadata
import random
import re
from pathlib import Path

import pytest

from finetune.scoring import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\n ", []),
        ("The cat sat", ["The cat sat"]),
        ("Ann is late. Bob waits!", ["Ann is late.", "Bob waits!"]),
        ("Ann is late\nBob waits. He is angry", ["Ann is late", "Bob waits.", "He is angry"]),
        ("Dr. Lee pays $3.50 at 5 p.m. today.", ["Dr. Lee pays $3.50 at 5 p.m. today."]),
    ],
)
def test_a_text_is_split_at_ends_of_sentences_and_of_lines(text, expected):
    assert sentences.split(text) == expected


def test_no_word_is_lost_whatever_stands_in_a_text():
    rng = random.Random(1)
    parts = [
        "Mr. Ho", "e.g.", "...", "! ", "?)", "“Hi.”", "1. ", "a.m.", "\t", " ", "U.S.", "(", "’",
        "☹", "☺", "&amp;", "$5.", "x" * 40, "''", "[1]", "•", "ȹ", "∯", "Yahoo!",
        "\u2028", "i. ", ";",
    ]  # fmt: skip
    for _ in range(300):
        text = " ".join(rng.choices(parts, k=rng.randint(1, 12)))
        pieces = sentences.split(text)
        assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)
        assert all(piece == piece.strip() != "" for piece in pieces)


def test_the_splitter_is_named_with_the_version_that_is_pinned():
    pinned = Path("requirements.txt").read_text(encoding="utf-8")
    assert f"pysbd {importlib.metadata.version('pysbd')}" == sentences.SPLITTER
    assert sentences.SPLITTER.replace(" ", "==") in pinned
