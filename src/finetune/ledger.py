"""The ledger of looks at test rows, `metrics/looks.json`: what a look is, and how it is read.

`finetune.comparing.looks` writes it, the report shows it.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finetune.core import paths
from finetune.core.errors import UserError
from finetune.core.files import read_json


class Side(BaseModel):
    """The runs of a configuration by name, and hashes of their predictions, which identify them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    runs: list[str] = Field(min_length=1)
    predictions: list[str]


class Look(BaseModel):
    """A look at the test rows `rows` of a task, by its primary score.

    `after` is compared with `before`, with the p-value `p` before any adjustment; of a look at one
    configuration alone they are None. `by_cluster` tells a test over clusters of rows.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    task: str
    rows: str
    score: str
    before: Side
    after: Side | None = None
    difference: float | None = None
    p: float | None = Field(default=None, ge=0, le=1)
    by_cluster: bool = False


class Ledger(BaseModel):
    """All looks, in their order."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    looks: list[Look]


def read(root: Path) -> list[Look]:
    """The looks that were written down; none where there is no ledger.

    Raises:
        UserError: the file is no ledger.
    """
    file = root / paths.looks()
    if not file.is_file():
        return []
    try:
        return Ledger.model_validate(read_json(file)).looks
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{paths.looks()}: {where or 'the file'}: {first['msg']}; mend it, or take back what "
            "Git has of it: every look that is lost makes later verdicts too easy"
        ) from None
