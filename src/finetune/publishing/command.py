"""`finetune publish`: an adapter or an export on the hub, with a card made from the metrics."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from finetune.core.errors import UserError
from finetune.core.files import read_json, write_json, write_text
from finetune.publishing import card, leakage, release, upload
from finetune.publishing.release import Release

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Options:
    """What a user chose; `is_dry` prints the card and uploads nothing."""

    repo: str
    export: Path | None = None
    base_model: str | None = None
    is_public: bool = False
    has_right: bool = False
    is_dry: bool = False


def run(root: Path, task: str, options: Options) -> int:
    """Publish a task's tuned model, or print the card alone.

    Raises:
        UserError: it may not be published, or could not be.
    """
    for name, value in (("--repo", options.repo), ("--base-model", options.base_model)):
        if value is not None and not REPOSITORY.fullmatch(value):
            raise UserError(f"{name}: {value!r} is no repository of the hub, such as OWNER/NAME")
    published = release.of(root, task, options.export, options.base_model, options.has_right)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stage(published, options.repo, folder)
        for name in published.origins:
            leakage.check(name, sorted(folder.iterdir()))
        if options.is_dry:
            print((folder / "README.md").read_text(encoding="utf-8"))
            return 0
        page = upload.upload(folder, options.repo, options.is_public, f"{task}: {_what(published)}")
        names = ", ".join(file.name for file in sorted(folder.iterdir()))
    print(f"{page}: {names}")
    if published.left_out:
        print(f"Left out of {published.folder}: {', '.join(published.left_out)}")
    return 0


def stage(published: Release, repo: str, folder: Path) -> None:
    """Copy what is published into a folder, with its card.

    PEFT's config names the base as it was loaded: what leaves names the base's repository.
    """
    for file in published.files:
        shutil.copyfile(file, folder / file.name)
    config = folder / ADAPTER_CONFIG
    if config.is_file():
        model = published.settings.model
        is_pinned = model.source == "hub" and model.name == published.base_model
        write_json(
            config,
            {
                **read_json(config),
                "base_model_name_or_path": published.base_model,
                "revision": model.revision if is_pinned else None,
            },
        )
    write_text(folder / "README.md", card.card(published, repo))


def _what(published: Release) -> str:
    return release.published_form(published.exports) or "adapter as it was trained"
