"""What is wrong with a paraphrase: it must say the same, in other words."""

from finetune.core.rows import TaskRow
from finetune.data.augmentation import speakers
from finetune.data.words import jaccard, shingles, words_of
from finetune.scoring.facts import unsupported

# A paraphrase has at least and at most so many times the words of its text, or a few more.
SHORTEST, LONGEST, MORE_WORDS = 0.5, 2.0, 5
# From this Jaccard similarity of runs of three words on it is hardly another text, and `prepare`
# would take it for a near-duplicate by default.
NEAR = 0.8
SHINGLE_WORDS = 3


def problem(row: TaskRow, text: str, input_field: str, has_speakers: bool) -> str | None:
    """What is wrong with a paraphrase of the text of an input field; None where nothing is."""
    own: str = getattr(row, input_field)
    old, new = len(words_of(own)), len(words_of(text))
    if not new:
        return "empty"
    if not SHORTEST * old <= new <= LONGEST * old + MORE_WORDS:
        return "much shorter or longer than its text"
    if jaccard(shingles(text, SHINGLE_WORDS), shingles(own, SHINGLE_WORDS)) >= NEAR:
        return "nearly its text"
    if has_speakers and speakers(text) != speakers(own):
        return "with other speakers than its text"
    if unsupported(own, text):
        return "without a name or number of its text"
    if unsupported(text, own):
        return "with a name or number that its text has not"
    paraphrased = row.model_copy(update={input_field: text})
    if paraphrased.answer_in_input and not row.answer_in_input:
        return "with the answer in it"
    return None
