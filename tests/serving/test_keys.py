import json
import stat

import pytest

from finetune.core.errors import UserError
from finetune.serving import keys


def test_a_key_is_shown_once_and_stored_as_a_hash(tmp_path):
    file = tmp_path / "keys.json"
    first, second = keys.add(file, "laptop"), keys.add(file, "phone")
    assert first != second
    assert len(first) > 40
    text = file.read_text()
    assert first not in text
    assert first.removeprefix(keys.PREFIX) not in text
    assert [row["name"] for row in json.loads(text)] == ["laptop", "phone"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    stored = keys.read(file)
    assert stored.name_of(first.encode()) == "laptop"
    assert stored.name_of(second.encode()) == "phone"


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "a", lambda k: k.upper()])
def test_another_key_opens_nothing(tmp_path, change):
    file = tmp_path / "keys.json"
    key = keys.add(file, "one")
    assert keys.read(file).name_of(change(key).encode()) is None
    assert keys.read(file).name_of(b"") is None
    # Nor does what stands in the file.
    digest = json.loads(file.read_text())[0]["sha256"]
    assert keys.read(file).name_of(digest.encode()) is None


def test_keys_are_compared_in_constant_time_with_all_of_them(tmp_path, monkeypatch):
    file = tmp_path / "keys.json"
    made = [keys.add(file, name) for name in ("a", "b", "c")]
    compared = []
    monkeypatch.setattr(
        keys.hmac, "compare_digest", lambda one, other: compared.append(other) or one == other
    )
    stored = keys.read(file)
    assert stored.name_of(made[0].encode()) == "a"
    assert compared == [each.sha256 for each in stored.stored]


@pytest.mark.parametrize(
    ("text", "what"),
    [(None, "not there"), ("[]", "holds no key"), ("{}", "holds no key"), ('["a"]', "no file of"),
     ('[{"name": "a", "sha256": "short", "created": ""}]', "no file of keys")],
)  # fmt: skip
def test_a_file_that_holds_no_keys_is_one_line(tmp_path, text, what):
    file = tmp_path / "keys.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=what):
        keys.read(file)


@pytest.mark.parametrize("name", ["", " ", "a" * 65, "one"])
def test_a_name_is_there_and_its_own(tmp_path, name):
    file = tmp_path / "keys.json"
    keys.add(file, "one")
    with pytest.raises(UserError, match="--new-key"):
        keys.add(file, name)
