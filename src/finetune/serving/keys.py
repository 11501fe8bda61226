"""API keys: a file holds the hash of each, and a request's key is compared in constant time.

A key has 256 random bits, so that its plain SHA-256 cannot be reversed by guessing.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finetune.core.errors import FileError, UserError
from finetune.core.files import read_json, write_json

PREFIX = "ft-"
RANDOM_BYTES = 32
OWNER_ONLY = 0o600


class StoredKey(BaseModel):
    """A key as the file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created: str


@dataclass(frozen=True)
class Keys:
    """The hashes of the keys that open the server."""

    stored: Sequence[StoredKey]

    def name_of(self, key: bytes) -> str | None:
        """The name of a key; None where it is none of ours.

        It is compared with all of them, whatever is found, by hashes of the same length.
        """
        digest = hashlib.sha256(key).hexdigest()
        found = None
        for each in self.stored:
            if hmac.compare_digest(digest, each.sha256):
                found = each.name
        return found


def read(file: Path) -> Keys:
    """The keys of a file.

    Raises:
        UserError: there is no such file, it holds none, or it is no file of keys.
    """
    if not file.is_file():
        raise UserError(f"{file}: not there; `finetune serve --new-key NAME` makes it")
    keys = _stored(file)
    if not keys:
        raise UserError(f"{file}: holds no key; `finetune serve --new-key NAME` adds one")
    return Keys(keys)


def add(file: Path, name: str) -> str:
    """Make a key, append its hash to the file, and return it: it stands nowhere else.

    Raises:
        UserError: the name is empty or taken.
    """
    stored = _stored(file) if file.is_file() else []
    if not name.strip() or len(name) > 64:
        raise UserError("--new-key: give a name of 1 to 64 characters, to know the key by")
    if any(each.name == name for each in stored):
        raise UserError(
            f"--new-key: {file} has a key called {name!r}; delete its line to revoke it"
        )
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    digest = hashlib.sha256(key.encode()).hexdigest()
    created = datetime.now(UTC).date().isoformat()
    new = StoredKey(name=name, sha256=digest, created=created)
    write_json(file, [each.model_dump() for each in (*stored, new)])
    file.chmod(OWNER_ONLY)
    return key


def _stored(file: Path) -> list[StoredKey]:
    try:
        return [StoredKey.model_validate(row) for row in read_json(file)]
    except (ValidationError, TypeError) as error:
        raise FileError(
            f"{file}: is no file of keys: must be a list of objects with name, sha256 and created"
        ) from error
