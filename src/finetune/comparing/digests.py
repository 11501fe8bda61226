"""Hashes of predictions, by which the ledger of looks knows them."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from finetune.shelf.about import Digest


def digest(rows: Sequence[dict[str, Any]]) -> Digest:
    """Hashes of the questions of rows, whatever their order, and of all that the rows hold."""
    questions = sorted([row["id"], row["reference"], row.get("input_hash")] for row in rows)
    return Digest(rows=_hash(questions), predictions=_hash(rows))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
