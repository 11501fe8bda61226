"""Keys planted into an environment, and a search for them in all that was written."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

# In all planted keys, and in nothing else: not one word in this file, which clones hold too.
MARK = "-".join(["planted", "7f3c", "91d2"])
NAMES = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "NEBIUS_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
    "WANDB_API_KEY", "COMET_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "RUNPOD_API_KEY", "FINETUNE_API_KEY", "GITHUB_TOKEN",
)  # fmt: skip


def keys() -> Mapping[str, str]:
    """Environment variables, each with a key of its own."""
    return {name: f"sk-{MARK}-{name.lower()}" for name in NAMES}


def plant(patch: pytest.MonkeyPatch) -> None:
    """Set all of them."""
    for name, key in keys().items():
        patch.setenv(name, key)


def holding(folder: Path, text: str) -> list[str]:
    """The files below a folder, hidden ones too, and the objects of its Git that hold a text."""
    sought = text.encode()
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    # A path may hold it, too.
    places = [str(f) for f in files if text in str(f) or sought in f.read_bytes()]
    return places + [name for name, content in _objects(folder) if sought in content]


def _objects(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of all Git objects: files of all commits and experiments, messages."""
    if not (folder / ".git").exists():
        return
    command = ["git", "cat-file", "--batch", "--batch-all-objects"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as git:
        assert git.stdout is not None
        while header := git.stdout.readline():
            name, kind, size = header.decode().split()
            yield f"{kind} {name}", git.stdout.read(int(size) + 1)
