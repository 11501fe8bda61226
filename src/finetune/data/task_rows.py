"""The rows of a kind as a task's parameters have them: screened for personal data, and curated."""

from collections.abc import Sequence

from finetune.core.schema import Curate, RowFields
from finetune.data.curation import Curated
from finetune.data.personal import Screened
from finetune.tasks.registry import Rows


def of_task(
    kind: Rows,
    fields: RowFields,
    curate: Curate | None,
    phone_regions: Sequence[str],
    is_masking: bool,
) -> Rows:
    """Rows that are cleaned and counted by the kind's own rules and then by the task's.

    Raises:
        ParamsError: one of the regions is none.
    """
    screened = Screened(kind, fields.required | fields.optional, phone_regions, is_masking)
    return screened if curate is None else Curated(screened, fields.read, curate)
