"""Rungs of summaries: lines of the dialogue, whole, with their speakers' names."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from finetune.core.schema import SummaryScore
from finetune.tasks.rungs.rung import Answers, Row, Splits
from finetune.tasks.summarization import references

# Lines among which `oracle3` looks for the best three: a million choices, a second or two.
ORACLE_LINES = 200


def lead1(splits: Splits, _: SummaryScore) -> Answers:
    """The first line that is not empty."""
    return _of_lines(splits, lambda lines: lines[:1])


def lead3(splits: Splits, _: SummaryScore) -> Answers:
    """The first three lines that are not empty."""
    return _of_lines(splits, lambda lines: lines[:3])


def longest3(splits: Splits, _: SummaryScore) -> Answers:
    """The three longest lines, in their order."""
    return _of_lines(splits, lambda lines: _longest(lines, 3))


def lexrank(splits: Splits, _: SummaryScore) -> Answers:
    """The three lines that are most like the others, in their order.

    Erkan and Radev 2004, "LexRank: Graph-based Lexical Centrality as Salience in Text
    Summarization", as sumy has it.
    """
    return _of_lines(splits, lambda lines: _most_central(lines, 3))


def oracle3(splits: Splits, options: SummaryScore) -> Answers:
    """The up to three lines with the best ROUGE-1 against the reference: a bound, no rival.

    No other choice of so many lines scores higher. Of several references it is against the one that
    lines can come nearest to. Of a dialogue with more than `ORACLE_LINES` lines that share a word
    with the reference, those best by themselves are tried.
    """
    from rouge_score.tokenizers import DefaultTokenizer

    tokenize = DefaultTokenizer(options.stemmer).tokenize
    texts = []
    for row in splits["test"]:
        lines = _lines(row)
        found = [_best(lines, reference, tokenize) for reference in references(row)]
        texts.append(" ".join(max(found, key=lambda scored: scored[0])[1]))
    return Answers(texts, {"bound": True})


def _of_lines(splits: Splits, choose: Callable[[list[str]], Sequence[str]]) -> Answers:
    return Answers([" ".join(choose(_lines(row))) for row in splits["test"]])


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

    document = ObjectDocumentModel([Paragraph([Sentence(line, _Words) for line in worded])])
    # Where no two lines are alike in anything, all ratings are 0/0, and the first lines stand.
    with np.errstate(invalid="ignore"):
        return [str(sentence) for sentence in LexRankSummarizer()(document, count)]


def _best(
    lines: list[str], reference: str, tokenize: Callable[[str], list[str]]
) -> tuple[float, list[str]]:
    """The highest ROUGE-1 F1 of at most three lines joined, and the lines, in their order.

    None where no line shares a word with the reference.
    """
    wanted = Counter(tokenize(reference))
    words = [Counter(tokenize(line)) for line in lines]
    # A line that shares no word with the reference makes any choice longer and none better.
    useful = [i for i, found in enumerate(words) if found.keys() & wanted.keys()]
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
    best, chosen = 0.0, ()
    for first in range(len(useful)):
        second, third = np.triu_indices(len(counts) - first - 1, k=1) + np.intp(first + 1)
        found = np.minimum(counts[first] + counts[second] + counts[third], limits).sum(axis=1)
        scores = _f1(found, lengths[first] + lengths[second] + lengths[third], wanted)
        at = int(np.argmax(scores))
        if scores[at] > best:
            best, chosen = float(scores[at]), (first, second[at], third[at])
    return best, [lines[useful[i]] for i in chosen if i < len(useful)]


def _f1(found: np.ndarray | int, length: np.ndarray | int, wanted: Counter) -> np.ndarray | float:
    """ROUGE-1 F1 of texts of `length` words, `found` of them in the reference."""
    return 2 * found / (length + wanted.total())
