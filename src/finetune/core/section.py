"""What every section of `params.yaml` is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# More of anything that is counted here (steps, rows, tokens) is a slip of the keyboard.
MAX_COUNT = 10**9
# Of NumPy's generators, and so of transformers' `set_seed`.
MAX_SEED = 2**32 - 1

Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Section(BaseModel):
    """A part of the parameters: unknown keys are refused, numbers are finite and not text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
