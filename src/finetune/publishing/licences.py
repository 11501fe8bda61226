"""Whether a model tuned on data may be given away, as far as the data's licence says it."""

import re
from collections.abc import Mapping
from typing import Any

from finetune.core.errors import UserError

# Licences that allow it, as SPDX spells them.
OPEN = {
    "mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "odc-by-1.0", "pddl-1.0", "unlicense",
}  # fmt: skip
# Words beside a licence's name that take some of it back.
RESTRICTION = re.compile(
    r"\b(non\w*|not?|only|research\w*|academ\w*|education\w*|personal\w*|internal\w*|evaluat\w*"
    r"|nc|nd|except\w*)\b",
    re.IGNORECASE,
)
FLAG = "--i-have-the-right"


def is_open(licence: str) -> bool:
    """Whether a licence, up to a comma or bracket, allows it, with no restriction after it."""
    name, *rest = re.split(r"[,(;]", licence, maxsplit=1)
    is_restricted = any(RESTRICTION.search(each) for each in rest)
    return re.sub(r"[\s-]+", "-", name.strip().lower()) in OPEN and not is_restricted


def of(origin: Mapping[str, Any]) -> list[str]:
    """The licences of a `source.json`, each once: the data's own, and those that are mixed in."""
    origins = [origin, *origin.get("mix", {}).values()]
    return list(dict.fromkeys(str(each.get("licence", "not stated")) for each in origins))


def check(task: str, origin: Mapping[str, Any], has_right: bool) -> None:
    """Check the licence of a task's data, unless somebody has the right for another reason.

    Raises:
        UserError: it is not one of `OPEN`.
    """
    closed = [licence for licence in of(origin) if not is_open(licence)]
    if closed and not has_right:
        raise UserError(
            f"{task}: the data's licence ({'; '.join(closed)}) does not plainly allow giving away "
            f"a model tuned on it; whoever has the right says so with {FLAG}"
        )
