"""requirements-hashes.txt against the other requirements: the same packages and versions."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ("requirements.txt", "requirements-serve.txt", "constraints.txt")
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s#;\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def pins(name: str) -> dict[str, str]:
    """Versions by the packages' normalized names."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {re.sub(r"[-_.]+", "-", each).lower(): version for each, version in PIN.findall(text)}


def test_every_package_but_torch_is_there_at_its_version():
    """`make hashes` writes the file again; torch's builds have a hash an index."""
    pinned = {name: version for source in SOURCES for name, version in pins(source).items()}
    assert pinned.pop("torch") == "2.13.0"
    assert pins("requirements-hashes.txt") == pinned


def test_every_package_has_hashes():
    text = (ROOT / "requirements-hashes.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins("requirements-hashes.txt"))
    assert [entry for entry in entries if not HASH.search(entry)] == []


def test_what_builds_the_package_is_pinned_as_it_is_installed():
    (version,) = re.findall(
        r'^requires = \["setuptools==([\d.]+)"\]$',
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert pins("constraints.txt")["setuptools"] == version
