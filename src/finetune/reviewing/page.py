"""The report page of a revision: an out of its pipeline, so that it need not be rendered again."""

from pathlib import Path

from finetune.comparing import runs, sources
from finetune.core import lock as lock_file
from finetune.core.errors import UserError
from finetune.core.files import write_text
from finetune.forms import records

FOLDER = Path("reviews")
PAGE = "reports/index.html"
FORMS = records.path("any").name


def saved(root: Path, name: str) -> str:
    """Copy a revision's page to where a browser finds it; a sentence on where, or why not."""
    try:
        source = sources.revision(root, name)
        text = source.text(PAGE)
        lock = lock_file.stages(source.text("dvc.lock"), f"dvc.lock of {name}")
        report = lock.get("report", {})
        outs = {out["path"]: out.get("md5") for out in report.get("outs", [])}
        runs.check_written(name, PAGE, text, outs)
    except UserError as error:
        return f"No page: {error}"
    # A branch's name may have slashes.
    file = FOLDER / f"{name.replace('/', '-')}.html"
    write_text(root / file, text)
    read = next(
        (dep.get("md5") for dep in report.get("deps", []) if dep["path"] == "metrics"), None
    )
    if read != _hash_of_metrics(root, str(source.commit)):
        return (
            f"{file}: open it in a browser. It is not of the metrics that are committed there: "
            "`dvc repro` was not run to its end"
        )
    return f"{file}: open it in a browser."


def _hash_of_metrics(root: Path, commit: str) -> str:
    """DVC's hash of the folder metrics/ of a commit, without the records of forms.

    `.dvcignore` leaves these out; DVC reads that for local files alone.
    """
    from dvc.repo import Repo
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.tree import Tree

    with Repo(str(root)) as repo:
        folder = Path(repo.root_dir).relative_to(repo.scm.root_dir) / "metrics"
        files = repo.scm.get_fs(commit)
        _, _, found = build(repo.cache.local, str(folder), files, "md5", dry_run=True)
    assert isinstance(found, Tree)
    tree = Tree()
    for key, meta, oid in found:
        if key[-1] != FORMS:
            tree.add(key, meta, oid)
    tree.digest()
    return str(tree.hash_info.value)
