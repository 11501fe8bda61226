"""notebooks/first_run: made from its script, and executed as a user does."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient
from pipeline_clone import Clone

from finetune.core.files import read_jsonl

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "notebooks/first_run.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    """The notebook as it is committed."""
    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_what_its_script_gives_and_has_no_outputs(notebook):
    made = jupytext.read(SCRIPT)
    kept = ("cell_type", "metadata", "source")  # ids are drawn anew each time
    cells, expected = ([{k: c[k] for k in kept} for c in n.cells] for n in (notebook, made))
    assert cells == expected, "`make notebook` writes it"
    assert notebook.metadata.kernelspec == made.metadata.kernelspec
    assert [cell.outputs for cell in code(notebook)] == [[]] * 10, "clear them before a commit"
    nbformat.validate(notebook)


def test_it_tells_the_story_in_ten_cells(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    numbers = re.findall(r"^## (\d+)\. ", text, re.MULTILINE)
    assert numbers == [str(number + 1) for number in range(10)]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder without the repository, a kernel without its packages; what is started there."""
    started = []

    def run(command, check):
        assert check
        started.append(" ".join(map(str, command)))
        if command[1] == "clone":
            command[-1].mkdir()
        if command[1:3] == ["-m", "venv"]:
            command[-1].mkdir()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    return started


def test_the_first_cell_clones_and_installs_into_an_environment_of_its_own(
    notebook, elsewhere, tmp_path
):
    first = code(notebook)[0].source.replace('OWNER/NAME"', 'someone/finetune"', 1)
    variables: dict = {}
    exec(first, variables)
    clone = tmp_path / "finetune"
    python = clone / ".venv/bin/python"
    assert elsewhere == [
        f"git clone https://github.com/someone/finetune {clone}",
        f"git -C {clone} config user.name First run",
        f"git -C {clone} config user.email first-run@example.com",
        f"/usr/bin/python3 -m venv --without-pip {clone}/.venv",
        f"/usr/bin/python3 -m pip --python {python} install --quiet pip -r requirements.txt",
    ]
    assert Path.cwd() == clone
    assert variables["os"].environ["PATH"] == f"{clone}/.venv/bin:/usr/bin"
    (clone / "dvc.yaml").touch()
    elsewhere.clear()
    exec(first, variables)  # again
    os.chdir(tmp_path)
    exec(first, {})  # after the kernel was restarted
    assert elsewhere == []
    assert Path.cwd() == clone


def test_the_first_cell_asks_for_the_repository(notebook, elsewhere):
    with pytest.raises(SystemExit, match=r"^REPOSITORY: write the address of your copy"):
        exec(code(notebook)[0].source, {})
    assert elsewhere == []


@pytest.mark.long
def test_its_cells_run_on_the_embedded_default(notebook, tmp_path_factory, monkeypatch):
    clone = Clone.of_quick(tmp_path_factory)
    code_of_clone = filter(None, (str(clone.folder / "src"), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(code_of_clone))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    where = {"metadata": {"path": str(clone.folder / "notebooks")}}
    ran = NotebookClient(notebook, timeout=600, resources=where, coalesce_streams=True).execute()
    _setup, main, first, scores, answers, report, second, compared, plan, own = map(
        shown, code(ran)
    )

    tuned = clone.metrics("samsum", "tuned")  # of the second run, on fewer ranks
    assert main == scores  # the clone's quick run is all that there is
    assert "Running stage" not in first
    assert "Ran experiment(s): first" in first
    assert "Running stage 'train@samsum'" in second
    assert "@price" not in second
    assert "no answer" in answers
    for row in read_jsonl(clone.folder / "data/prepared/samsum/test.jsonl")[:3]:
        assert html.escape(row["dialogue"]) in answers
    assert "prices of products" in report
    assert re.search(r"lora\.r +16 +4", compared)
    assert re.search(rf"samsum +rouge1 .* {tuned['validation']['rouge1']:.2f} ", compared)
    assert "fits into 15.0 GB" in plan
    assert "dvc exp run -S +task@tasks.lamps=lamps" in own
    assert clone.git("status", "--porcelain", "metrics/looks.json") == ""


def shown(cell: nbformat.NotebookNode) -> str:
    """What stands below a cell."""
    return "".join(o.get("text") or o["data"]["text/html"] for o in cell.outputs)
