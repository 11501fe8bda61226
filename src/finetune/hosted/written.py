"""An answer of a model that gives texts alone, and how it is drawn."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Written:
    """An answer. refused: the model, or its provider for it, declined; the text is then empty."""

    text: str
    hit_length_cap: bool = False
    refused: bool = False


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn: greedily, or so many `samples` at a temperature."""

    temperature: float = 0.0
    samples: int = 1
    seed: int = 0
