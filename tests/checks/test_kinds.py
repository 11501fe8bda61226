import textwrap
from pathlib import Path

import pytest

from finetune.checks import kinds

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path) -> Path:
    """Two kinds, and a package beside them."""
    for name in ("price", "summarization"):
        folder = tmp_path / "src/finetune/tasks" / name
        folder.mkdir(parents=True)
        (folder / "options.py").write_text(f"KIND = '{name}'\nif kind == '{name}': pass\n")
    return tmp_path


def problems(project: Path, code: str, file: str = "page.py") -> list[str]:
    (project / "src/finetune" / file).write_text(textwrap.dedent(code))
    return kinds.problems(project)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("if task.kind == 'price': pass", "asks which kind a task is of"),
        ("if kind != 'price': pass", "asks which kind a task is of"),
        ("x = kind in ('price', 'other')", "asks which kind a task is of"),
        ("x = row['kind'] == 'price'", "asks which kind a task is of"),
        ("match kind:\n    case 'price': pass", "asks which kind a task is of"),
        ("X = {'price': 1, 'summarization': 2}", "is a dictionary by kind"),
        ("from finetune.tasks import price", "imports a kind"),
        ("from finetune.tasks.price.rows import Row", "imports a kind"),
        ("import finetune.tasks.price.rows", "imports a kind"),
    ],
)
def test_a_question_after_a_kind_is_named_with_its_line(project, code, what):
    (problem,) = problems(project, f"# a comment\n{code}\n")
    line = 3 if code.startswith("match") else 2
    assert problem.startswith(f"src/finetune/page.py:{line}: {what}; let the kind say it")


@pytest.mark.parametrize(
    "code",
    [
        "scores = registry.scores(task.kind)",
        "x = {'price': 1}  # a column of that name",
        "x = row['price'] == 5",
        "if task.kind == other.kind: pass",
        "from finetune.tasks import registry",
    ],
)
def test_what_no_kind_is_asked_for_by_is_fine(project, code):
    assert problems(project, code) == []


def test_a_kind_may_not_import_another_one(project):
    file = project / "src/finetune/tasks/price/options.py"
    file.write_text(
        "from finetune.tasks.price import rows\nfrom finetune.tasks import summarization\n"
    )
    (problem,) = kinds.problems(project)
    assert problem.startswith("src/finetune/tasks/price/options.py:2: imports a kind")


def test_templates_are_read_too(project):
    (problem,) = problems(project, "a\n{% if kind == 'price' %}b{% endif %}\n", "page.html.j2")
    assert problem.startswith("src/finetune/page.html.j2:2: asks which kind")


def test_this_repository_knows_no_kind_outside_its_folder():
    assert kinds.problems(ROOT) == []
