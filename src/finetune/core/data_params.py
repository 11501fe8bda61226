"""Parameters of data: which rows are taken, and what is done to them."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from finetune.core.section import Count, Fraction, Section, Seed

# As `sha256sum` prints it.
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Bounds(Section):
    """The least and the most that a number may be; null for no bound."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min: is {self.min:g}, must not be above max ({self.max:g})")
        return self

    def hold(self, number: float) -> bool:
        """Whether a number is within them."""
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)


class Sizes(Section):
    """Exactly so many rows of each split, drawn by their weights; null for all."""

    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None


class Curate(Section):
    """Which rows of a source are taken, and what becomes of their texts; of all splits alike.

    In this order: a kind's own rules, `scrub`, the bounds of the text in `characters` and estimated
    tokens, `token_budget`, at which the text is truncated; at the end `sizes`. A kind may extend
    this, as prices do: by rules of its own, and by the weight of a row where `sizes` are drawn.
    """

    scrub: list[Literal["part_numbers", "long_numbers"]] = Field(default_factory=list)
    characters: Bounds = Bounds()
    min_tokens: Count | None = None
    token_budget: Annotated[int, Field(ge=16)] | None = None
    sizes: Sizes = Sizes()

    @model_validator(mode="after")
    def _budget_holds_least(self) -> Self:
        if self.min_tokens and self.token_budget and self.min_tokens > self.token_budget:
            raise ValueError(
                f"min_tokens: is {self.min_tokens}, must not be above token_budget "
                f"({self.token_budget})"
            )
        return self

    def broken_rule(self, row: Any) -> str | None:
        """The name of the kind's own rule that drops a clean row, counted as `dropped_by_…`."""
        return None

    def weight(self, row: Any) -> float:
        """How likely a row is to be drawn, as against others; 0 for never."""
        return 1.0


class Paraphrases(Section):
    """A file of paraphrases, as `finetune dataset paraphrase` writes it; another is refused."""

    file: str
    sha256: Sha256


class Augment(Section):
    """Train rows that are made of others: `rename_speakers` copies of each, and paraphrases.

    Copies are for kinds whose rows have speakers (`Task.has_speakers`).
    """

    rename_speakers: Annotated[int, Field(ge=0, le=10)] = 0
    paraphrases: Paraphrases | None = None


class Rows(Section):
    """A number of rows for each split."""

    train: Count
    validation: Count
    test: Count


class Limit(Section):
    """At most so many rows of each split, a seeded subset; null for all."""

    train: Count | None
    validation: Count | None
    test: Count | None


class Embedded(Section):
    """The synthetic corpora."""

    rows: Rows
    seed: Seed


# The least probability with which a pair at the threshold must be found.
MIN_RECALL = 0.98


class NearDuplicates(Section):
    """What counts as nearly the same text: the Jaccard similarity of shingles of some words.

    From `threshold` on two texts are near-duplicates; null: they are not looked for. A MinHash of
    `permutations` values is divided into `bands`; texts that agree in a whole band are compared.
    """

    threshold: Annotated[float, Field(gt=0, le=1)] | None
    shingle_words: Count
    permutations: Annotated[int, Field(ge=16, le=1024)]
    bands: Count

    @model_validator(mode="after")
    def _bands_find_the_pairs(self) -> Self:
        if self.permutations % self.bands:
            raise ValueError(f"bands: is {self.bands}, must divide permutations")
        if self.threshold is None:
            return self
        rows = self.permutations // self.bands
        recall = 1 - (1 - self.threshold**rows) ** self.bands
        if recall < MIN_RECALL:
            raise ValueError(
                f"bands: {self.bands} bands of {rows} find {recall:.0%} of the pairs at the "
                f"threshold, must find {MIN_RECALL:.0%}: set more bands"
            )
        return self


class Data(Section):
    """Where rows come from, and what is done to them.

    Personal data are counted; with `mask_pii` placeholders stand for them. Of `phone_regions` phone
    numbers are known without their country's code.

    A model whose tokenizer truncates a larger fraction of a split's prompts or answers than
    `max_truncated` is neither asked nor trained.
    """

    source: Literal["embedded", "files", "hub"]
    root: str | None
    watch: str
    embedded: Embedded
    limit: Limit
    max_bad_rate: Fraction
    max_truncated: Fraction = 0.05
    near_duplicates: NearDuplicates
    test_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    seed: Seed
    mask_pii: bool = False
    phone_regions: list[str] = Field(default_factory=lambda: ["US", "GB"])

    @model_validator(mode="after")
    def _root_is_given(self) -> Self:
        if self.source == "files" and not self.root:
            raise ValueError("root: is not set; give the folder: -S data=files -S data.root=DIR")
        return self
