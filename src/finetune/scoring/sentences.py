"""Sentences of a text, by a pinned splitter: ROUGE-Lsum is defined over them.

The splitter is `pysbd` (Sadvilkar and Neumann 2020, "PySBD: Pragmatic Sentence Boundary
Disambiguation"): rules for English, no model and no download.
"""

import functools
import importlib.metadata
from itertools import pairwise
from typing import Any

# What scores cannot be compared without: another version may split elsewhere.
SPLITTER = f"pysbd {importlib.metadata.version('pysbd')}"


def split(text: str) -> list[str]:
    """The sentences of a text, without blanks around them; an end of a line ends one too."""
    return [sentence for line in text.splitlines() for sentence in _of_line(line)]


def _of_line(line: str) -> list[str]:
    # Divided where sentences start: a sentence that the splitter alters and then does not find in
    # the line is missing from its list, and would be lost with its words.
    starts = {0, len(line), *(span.start for span in _segmenter().segment(line))}
    pieces = (line[start:end].strip() for start, end in pairwise(sorted(starts)))
    return [piece for piece in pieces if piece]


@functools.cache
def _segmenter() -> Any:
    import pysbd  # what computes no ROUGE need not have it

    return pysbd.Segmenter(language="en", clean=False, char_span=True)
