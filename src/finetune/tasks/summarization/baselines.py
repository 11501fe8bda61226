"""Baselines of summaries: lines of the dialogue, whole, with their speakers' names."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from finetune.core.text import text_field
from finetune.scoring.baselines import Answers, Baseline, Splits, of_each
from finetune.scoring.metrics import Row
from finetune.tasks.summarization.options import SummaryScore

# Lines among which `oracle3` looks for the best three: a million choices, a second or two.
ORACLE_LINES = 200


def guess(value: object) -> str:
    """Somebody's own summary, on one line.

    Raises:
        ValueError: it is no text.
    """
    return " ".join(text_field({"summary": value}, "summary").split())


def lead(count: int) -> Callable[[Row], str]:
    """The first lines that are not empty."""
    return lambda row: " ".join(_lines(row)[:count])


def longest3(row: Row) -> str:
    """The three longest lines, in their order."""
    return " ".join(_longest(_lines(row), 3))


RATING_DECIMALS = 9


def lexrank(row: Row) -> str:
    """The three lines that are most like the others, in their order.

    Erkan and Radev 2004, "LexRank: Graph-based Lexical Centrality as Salience in Text
    Summarization", as sumy has it.
    """
    return " ".join(_most_central(_lines(row), 3))


def oracle3(splits: Splits, options: SummaryScore) -> Callable[[Sequence[Row]], Answers]:
    """The up to three lines with the best ROUGE-1 against the reference.

    No other choice of so many lines scores higher. Of several references it is against the one that
    lines can come nearest to. Of a dialogue with more than `ORACLE_LINES` lines that share a word
    with the reference, those best by themselves are tried.
    """
    from rouge_score.tokenizers import DefaultTokenizer

    tokenize = DefaultTokenizer(options.stemmer).tokenize

    def answer(row: Row) -> str:
        lines, references = _lines(row), row.get("references") or [row["summary"]]
        choices = [_best(lines, reference, tokenize) for reference in references]
        return " ".join(max(choices, key=lambda choice: choice[0])[1])

    return lambda rows: Answers([answer(row) for row in rows])


BASELINES = (
    Baseline("lead1", "the first line", of_each(lead(1))),
    Baseline("lead3", "the first three lines", of_each(lead(3))),
    Baseline("longest3", "the three longest lines", of_each(longest3)),
    Baseline("lexrank", "the most central lines", of_each(lexrank)),
    Baseline("oracle3", "the best three lines", oracle3, is_oracle=True),
)


def _lines(row: Row) -> list[str]:
    return [line for line in row["dialogue"].split("\n") if line.strip()]


def _longest(lines: list[str], count: int) -> list[str]:
    # Of equally long lines the later ones: five in a hundred dialogues of SAMSum hang on it.
    by_length = sorted(range(len(lines)), key=lambda i: (-len(lines[i]), -i))
    return [lines[i] for i in sorted(by_length[:count])]


class _Words:
    """What sumy asks of a tokenizer; its own needs data that NLTK downloads."""

    @staticmethod
    def to_words(text: str) -> list[str]:
        return re.findall(r"\w+", text)


def _most_central(lines: list[str], count: int) -> list[str]:
    worded = [line for line in lines if _Words.to_words(line)]
    if len(worded) <= count:
        # Nothing to rank: the lines with words, or where no line has any, the first ones.
        return worded or lines[:count]
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.summarizers.lex_rank import LexRankSummarizer

    class Summarizer(LexRankSummarizer):
        """Chooses by rounded ratings, the earlier of equal lines.

        Lines that are alike differ in their ratings by rounding, which the processor decides: with
        OpenBLAS's kernels for Haswell and for Skylake-X other lines were chosen.
        """

        def _get_best_sentences(
            self, sentences: Sequence[Any], count: int, ratings: Mapping[Any, float]
        ) -> list[Any]:
            rounded = [round(float(np.nan_to_num(ratings[s])), RATING_DECIMALS) for s in sentences]
            by_rating = sorted(range(len(sentences)), key=lambda i: (-rounded[i], i))
            return [sentences[i] for i in sorted(by_rating[:count])]

    document = ObjectDocumentModel([Paragraph([Sentence(line, _Words) for line in worded])])
    # Where no two lines are alike in anything, all ratings are 0/0, and the first lines stand.
    with np.errstate(invalid="ignore"):
        return [str(sentence) for sentence in Summarizer()(document, count)]


def _best(
    lines: list[str], reference: str, tokenize: Callable[[str], list[str]]
) -> tuple[float, list[str]]:
    """The highest ROUGE-1 F1 of at most three lines joined, and the lines, in their order.

    None where no line shares a word with the reference.
    """
    wanted = Counter(tokenize(reference))
    words = [Counter(tokenize(line)) for line in lines]
    # A line that shares no word with the reference makes any choice longer and none better.
    useful = [i for i, of_line in enumerate(words) if of_line.keys() & wanted.keys()]
    if len(useful) > ORACLE_LINES:
        alone = {i: _f1((words[i] & wanted).total(), words[i].total(), wanted) for i in useful}
        useful = sorted(sorted(useful, key=lambda i: -alone[i])[:ORACLE_LINES])
    if not useful:
        return 0.0, []
    # Two empty lines at the end: the choices of three then hold those of one and of two.
    limits = np.array(list(wanted.values()), dtype=np.int32)
    counts = np.zeros((len(useful) + 2, len(wanted)), dtype=np.int32)
    counts[:-2] = [[words[i][word] for word in wanted] for i in useful]
    lengths = np.array([*(words[i].total() for i in useful), 0, 0])
    best: float = 0.0
    chosen: tuple[int, ...] = ()
    for first in range(len(useful)):
        pairs = np.triu_indices(len(counts) - first - 1, k=1)
        second, third = (places + first + 1 for places in pairs)
        shared = np.minimum(counts[first] + counts[second] + counts[third], limits).sum(axis=1)
        scores = _f1s(shared, lengths[first] + lengths[second] + lengths[third], wanted)
        at = int(np.argmax(scores))
        if scores[at] > best:
            best, chosen = float(scores[at]), (first, int(second[at]), int(third[at]))
    return best, [lines[useful[i]] for i in chosen if i < len(useful)]


def _f1(shared: int, length: int, wanted: Counter[str]) -> float:
    """ROUGE-1 F1 of a text of `length` words, `shared` of them with the reference."""
    return 2 * shared / (length + wanted.total())


def _f1s(shared: np.ndarray, lengths: np.ndarray, wanted: Counter[str]) -> np.ndarray:
    """The same of many texts: all three (texts,)."""
    return 2 * shared / (lengths + wanted.total())
