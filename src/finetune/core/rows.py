"""A row of a task, as every kind's own row type extends it."""

from collections.abc import Callable
from typing import Self

from pydantic import BaseModel, ConfigDict

from finetune.core.schema import Prompt
from finetune.core.text import contains_words


class TaskRow(BaseModel):
    """A row as `prepare` writes it: what stands in data/prepared, one JSON object a line.

    `input` and `completion` are all that training and inference know of a row. One that was made of
    another has that one's id in `made_from`, one of a source that is mixed in that one's name in
    `from_source`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    made_from: str | None = None
    from_source: str | None = None

    @property
    def input(self) -> str:
        """The text that the model reads: what makes two rows the same."""
        raise NotImplementedError

    @property
    def completion(self) -> str:
        """The text that the model should write."""
        raise NotImplementedError

    @property
    def number(self) -> float | None:
        """The completion as a number of 0 or more; None for a kind whose answers are none."""
        return None

    @property
    def answer_in_input(self) -> bool:
        """Whether the answer stands in the text that the model reads: counted in `data.json`.

        Here: the completion as whole words, whatever its case and blanks. A kind whose answers
        have another form overrides this.
        """
        return contains_words(self.input, self.completion)

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts of the row."""
        return (self.input, self.completion)

    def rewritten(self, rewrite: Callable[[str], str]) -> Self:
        """The row with each of its texts rewritten; of a kind whose rows have speakers."""
        raise NotImplementedError

    def for_prompt(self, prompt: Prompt) -> Self:
        """The row as training and inference use it under a task's prompt.

        A kind whose `prompt` has options for what the model should write overrides this: the
        prepared rows are without them, so that they are the same for another choice.
        """
        return self
