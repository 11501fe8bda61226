"""`finetune review` of an experiment that another clone pushed, page and all."""

import contextlib
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from shelved_runs import call, save

from finetune.core.errors import UserError
from finetune.reviewing import command, page, pulling
from finetune.reviewing.command import Options

PAGE = "<html>the page of better</html>\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A bare Git repository `outside`, a DVC remote `store`; the branch main, two experiments.

    `better` is better than main, `same` has the same predictions.
    """
    folder = tmp_path_factory.mktemp("world")
    box = folder / "box"
    box.mkdir()
    call(folder, "git", "init", "--quiet", "--bare", "--initial-branch", "main", "outside")
    call(box, "git", "init", "--quiet", "--initial-branch", "main")
    call(box, "git", "config", "user.email", "test@example.com")
    call(box, "git", "config", "user.name", "Test")
    call(box, "git", "remote", "add", "origin", str(folder / "outside"))
    Repo.init(str(box)).close()
    stage = {"cmd": "true", "deps": ["metrics"], "outs": ["reports/index.html"]}
    (box / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"report": stage}}))
    (box / ".gitignore").write_text("/reports\n/reviews/\n")
    (box / "reports").mkdir()
    _commit(box, "main", "<html>main</html>\n", 0)
    base = subprocess.check_output(("git", "rev-parse", "HEAD"), cwd=box, text=True).strip()
    for name, text, gain in (("better", PAGE, 3), ("same", "<html></html>\n", 0)):
        _commit(box, name, text, gain, lora__r=64)
        # As DVC names the commit of an experiment.
        call(box, "git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", "HEAD")
        call(box, "git", "reset", "--quiet", "--hard", base)
    call(box, "git", "push", "--quiet", "origin", "main")
    _set_store(box, folder)
    with Repo(str(box)) as repo:
        repo.experiments.push("origin", ["better", "same"], push_cache=True)
    return folder


def _commit(box: Path, name: str, text: str, gain: float, **changed: object) -> None:
    """A run with its page in DVC's cache."""
    save(box, gain, 1, **changed)
    (box / "reports/index.html").write_text(text)
    of_runs = yaml.safe_load((box / "dvc.lock").read_text())
    (box / "dvc.lock").unlink()
    with contextlib.chdir(box), Repo() as repo:
        repo.commit(force=True)
    lock = yaml.safe_load((box / "dvc.lock").read_text())
    lock["stages"] |= of_runs["stages"]
    (box / "dvc.lock").write_text(yaml.safe_dump(lock))
    call(box, "git", "add", "-A")
    call(box, "git", "commit", "--quiet", "-m", name)


def _set_store(clone: Path, world: Path) -> None:
    """Set the DVC remote, in a file that is not in Git."""
    url = world / "store"
    text = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {url}\n"
    (clone / ".dvc/config.local").write_text(text)


@pytest.fixture
def laptop(world, tmp_path) -> Path:
    """A clone that has neither experiment."""
    call(tmp_path, "git", "clone", "--quiet", str(world / "outside"), "laptop")
    _set_store(tmp_path / "laptop", world)
    return tmp_path / "laptop"


def test_a_review_pulls_compares_judges_and_has_the_page(laptop, capsys):
    code = command.run(laptop, "better", Options())
    said = capsys.readouterr().out
    headings = ["Metrics", "Comparison, paired by row", "Verdict", "Report"]
    lines = said.splitlines()
    assert [
        line for line, below in itertools.pairwise(lines) if line and below == "-" * len(line)
    ] == headings
    assert lines[0].startswith("Review of better (")
    assert "Pulled from origin, its files from store." in said
    assert "lora.r       16     64" in said
    # The metric file's, as it stands there; the fixture writes the same for all runs.
    (line,) = [each for each in lines if "ROUGE-1" in each and " test " in each]
    assert " ".join(line.split()) == "samsum ROUGE-1 (points) test 50.0 50.0 0.0"
    # One run a side shows nothing of seeds.
    assert code == 3
    assert "INCONCLUSIVE: better against main" in said
    assert "reviews/better.html: open it in a browser.\n" in said
    assert (laptop / "reviews/better.html").read_text() == PAGE
    status = subprocess.check_output(("git", "status", "--short"), cwd=laptop, text=True)
    assert status == "?? metrics/looks.json\n"  # the look at test rows


def test_an_experiment_that_is_here_is_not_pulled_again(laptop, capsys):
    pulling.pulled(laptop, "same", "origin")
    call(laptop, "git", "remote", "remove", "origin")
    assert command.run(laptop, "same", Options(style="github")) == 1
    said = capsys.readouterr().out
    assert "It is here already, so nothing was pulled." in said
    assert [line for line in said.splitlines() if line.startswith("#")] == [
        said.splitlines()[0],
        "## Metrics",
        "## Comparison, paired by row",
        "## main → same",
        "## Verdict",
        "## DON'T SHIP: same against main",
        "## Report",
    ]


@pytest.mark.parametrize(
    ("name", "remote", "said"),
    [
        ("", "origin", "review: an empty name of an experiment; a variable may not be set"),
        ("nope", "origin", "nope: neither here nor on the Git remote origin; `dvc exp list origin"),
        ("better", "nope", "better: cannot be pulled from the Git remote nope: 'nope' is not a va"),
    ],
)
def test_what_cannot_be_pulled_is_one_line(laptop, name, remote, said):
    with pytest.raises(UserError) as raised:
        pulling.pulled(laptop, name, remote)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


@pytest.fixture
def damaged(laptop, world, tmp_path):
    """The laptop, and a store of its own whose files are as `damage` leaves them."""

    def made(damage) -> Path:
        shutil.copytree(world / "store", tmp_path / "store")
        for file in [each for each in (tmp_path / "store").rglob("*") if each.is_file()]:
            damage(file)
        _set_store(laptop, tmp_path)
        return laptop

    return made


def test_files_that_cannot_be_had_are_no_fault_of_git(damaged):
    def damage(file: Path) -> None:
        file.unlink()
        file.mkdir()  # so that reading it fails, for root too

    with pytest.raises(UserError) as raised:
        pulling.pulled(damaged(damage), "better", "origin")
    assert str(raised.value).startswith(
        "better: its commit was pulled from the Git remote origin, its files cannot be from the "
        "DVC remote store (`dvc exp pull origin better` tries again"
    )
    assert "Is a directory" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_the_dvc_remote_lacks_are_named(damaged):
    _, said = pulling.pulled(damaged(Path.unlink), "better", "origin")
    assert said == (
        "Pulled from origin; of what its run wrote these are neither here nor in the DVC remote "
        "store: reports/index.html (`dvc exp pull origin better` tries again)."
    )


def test_without_a_dvc_remote_that_is_said_and_there_is_no_page(laptop):
    (laptop / ".dvc/config.local").unlink()
    _, said = pulling.pulled(laptop, "better", "origin")
    assert "its files were not, since no DVC remote is set" in said
    assert page.saved(laptop, "better").startswith(
        "No page: better: reports/index.html is in no cache here"
    )
    assert not (laptop / "reviews").exists()


def test_a_page_that_is_not_of_the_metrics_is_told(laptop):
    commit, _ = pulling.pulled(laptop, "better", "origin")
    call(laptop, "git", "config", "user.email", "test@example.com")
    call(laptop, "git", "config", "user.name", "Test")
    call(laptop, "git", "switch", "--quiet", "-c", "mine/better", commit)
    (laptop / "metrics/samsum").mkdir(exist_ok=True)
    # What is exported and served later is no metric of the run.
    for name, expected in (("samsum/forms.json", False), ("more.json", True)):
        (laptop / "metrics" / name).write_text("{}\n")
        call(laptop, "git", "add", "metrics")
        call(laptop, "git", "commit", "--quiet", "-m", name)
        said = page.saved(laptop, "mine/better")
        assert ("It is not of the" in said) == expected
    assert said.startswith("reviews/mine-better.html: open it in a browser. It is not of the")


def test_a_comparison_without_a_verdict_is_shown_as_one(laptop, capsys, monkeypatch):
    def refused(*_):
        raise UserError("better lacks price, which main has")

    monkeypatch.setattr(command.ship_command, "run", refused)
    assert command.run(laptop, "better", Options()) == 2
    said = capsys.readouterr().out
    assert "No verdict: better lacks price, which main has." in said
    assert "Not compared: " not in said
    assert (laptop / "reviews/better.html").read_text() == PAGE


def test_of_a_run_that_does_not_compare_scores_and_page_are_shown(laptop, capsys, monkeypatch):
    def refused(*_):
        raise UserError("samsum: main and better were tested on different rows")

    monkeypatch.setattr(command.command, "run", refused)
    assert command.run(laptop, "better", Options()) == 2
    said = capsys.readouterr().out
    assert "samsum ROUGE-1" in " ".join(said.split())
    assert "Not compared: samsum: main and better were tested on different rows." in said
    assert "`finetune review better --against OTHER`" in said
    assert (laptop / "reviews/better.html").read_text() == PAGE
