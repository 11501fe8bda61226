import textwrap
from pathlib import Path

import pytest
import yaml

from finetune.checks import stages

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path) -> Path:
    """One stage, of which `room` imports `tools`, and `tools` a module inside a function."""
    source = {
        "__init__.py": '"""Nothing but a docstring."""',
        "stages/__init__.py": "",
        "stages/fetch.py": """
            from finetune import room

            def run(params):
                room.work(params.data.source, params.train.seed)
        """,
        "room.py": "from finetune.tools import cut",
        "tools.py": """
            def cut():
                from finetune.knives import knife
        """,
        "knives.py": "import math",
        "other.py": "",
    }
    for name, code in source.items():
        write(tmp_path / "src/finetune" / name, code)
    return tmp_path


ALL = ("src/finetune/stages", "src/finetune/room.py", "src/finetune/tools.py",
       "src/finetune/knives.py")  # fmt: skip


def write(file: Path, code: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(code))


def problems(
    project: Path,
    deps=ALL,
    params=("data", "train"),
    foreach: bool = True,
    command: str = "python -m finetune.stages.fetch",
) -> list[str]:
    """What is told of a fetch stage that declares these, each line without its start."""
    stage = {
        "cmd": command,
        "deps": [*deps],
        "params": [*params],
    }
    entry = {"foreach": "${tasks}", "do": stage} if foreach else stage
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"fetch": entry}}))
    lines = stages.problems(project)
    assert all(line.startswith("dvc.yaml: stage fetch: ") for line in lines)
    return [line.removeprefix("dvc.yaml: stage fetch: ") for line in lines]


@pytest.mark.parametrize("foreach", [True, False])
def test_a_stage_that_declares_all_it_imports_and_reads_is_fine(project, foreach):
    assert problems(project, foreach=foreach) == []


@pytest.mark.parametrize(
    "file",
    [
        "src/finetune/room.py",  # imported by the stage
        "src/finetune/tools.py",  # through a module between
        "src/finetune/knives.py",  # inside a function of that
    ],
)
def test_a_missing_dependency_is_named(project, file):
    left = [dep for dep in ALL if dep != file]
    assert problems(project, left) == [f"deps miss {file}, which its code imports"]


def test_the_stage_itself_is_a_dependency(project):
    assert problems(project, ALL[1:]) == [
        "deps miss src/finetune/stages/fetch.py, which its code imports"
    ]


def test_a_folder_stands_for_all_its_modules(project):
    assert problems(project, ["src/finetune"]) == []


@pytest.mark.parametrize(
    "line",
    [
        "import finetune.other",
        "import finetune.other as something",
        "from finetune import other",
        "from finetune.other import name",
    ],
)
def test_every_form_of_import_counts(project, line):
    write(project / "src/finetune/knives.py", line)
    assert problems(project) == ["deps miss src/finetune/other.py, which its code imports"]


def test_modules_that_import_each_other_are_followed_once(project):
    write(project / "src/finetune/knives.py", "import finetune.room")
    assert problems(project) == []


def test_a_package_counts_where_its_init_holds_code(project):
    write(project / "src/finetune/kitchen/__init__.py", '"""Words."""')
    write(project / "src/finetune/kitchen/pan.py", "")
    write(project / "src/finetune/knives.py", "from finetune.kitchen import pan")
    pan = "deps miss src/finetune/kitchen/pan.py, which its code imports"
    assert problems(project) == [pan]
    write(project / "src/finetune/kitchen/__init__.py", "from finetune.other import x")
    assert problems(project) == [
        "deps miss src/finetune/kitchen/__init__.py, which its code imports",
        pan,
        "deps miss src/finetune/other.py, which its code imports",
    ]


def test_a_needless_dependency_is_named(project):
    deps = [*ALL, "src/finetune/other.py", "data/raw/${key}", "${data.watch}"]
    assert problems(project, deps) == [
        "deps list src/finetune/other.py, which its code does not import"
    ]


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("use(params.data.source)", ["data.source"]),
        ("use(params.lora)", ["lora"]),
        ("params.train.seed", []),
        ("use(params.trainer.seed)", ["trainer.seed"]),  # no part of `train`
        ("use(params)", ["params"]),  # all of it goes who knows where
        ("params.task.kind", []),
        ("params.task.eval.shots", ["tasks.${key}.eval.shots"]),
        ("task = params.task", ["tasks.${key}"]),  # what is read of it cannot be seen
        ("for name in params.tasks.items(): pass", ["tasks"]),
        ("getattr(params.data.limit, split)", ["data.limit"]),
        ("kind, train = params.task.kind, params.train", []),
        ("if x:\n        def f(): return params.method.compute_dtype", ["method.compute_dtype"]),
        ("other.params.lora", []),
    ],
)
def test_parameters_that_are_read_and_not_declared_are_named(project, code, missing):
    write(project / "src/finetune/stages/fetch.py", f"def run(params, task):\n    {code}\n")
    found = problems(project, ["src/finetune/stages"], ["train", "tasks.${key}.kind"])
    assert found == [f"params miss {key}, which its code reads" for key in missing]


KIND_DEPS = [*ALL, "src/finetune/tasks/${item.kind}/rows.py", "src/finetune/cleaner.py"]


@pytest.fixture
def with_kinds(project) -> Path:
    """The same, and the stage asks the registry for the rows of its kind."""
    for kind in ("price", "poem"):
        write(project / f"src/finetune/tasks/{kind}/options.py", "")
        write(
            project / f"src/finetune/tasks/{kind}/rows.py",
            f"from finetune.tasks.{kind}.options import Task\nfrom finetune import cleaner",
        )
    write(project / "src/finetune/tasks/registry.py", "import importlib")
    write(project / "src/finetune/cleaner.py", "")
    write(
        project / "src/finetune/knives.py",
        "from finetune.tasks import registry\n\ndef cut(kind):\n    registry.rows(kind)\n"
        "    registry.options(kind)\n",
    )
    return project


def test_what_is_asked_of_the_registry_is_a_dependency_on_the_own_kind(with_kinds):
    assert problems(with_kinds, KIND_DEPS) == []
    assert problems(with_kinds, ALL) == [
        "deps miss src/finetune/cleaner.py, which its code imports",
        "deps miss src/finetune/tasks/${item.kind}/rows.py, which its code imports",
    ]


def test_a_file_of_the_kind_that_is_not_asked_for_is_needless(with_kinds):
    deps = [*KIND_DEPS, "src/finetune/tasks/${item.kind}/loss.py"]
    assert problems(with_kinds, deps) == [
        "deps list src/finetune/tasks/${item.kind}/loss.py, which its code does not import"
    ]


def test_a_stage_over_all_tasks_depends_on_all_kinds(with_kinds):
    assert problems(with_kinds, [*ALL, "src/finetune/cleaner.py"], foreach=False) == [
        "deps miss src/finetune/tasks/poem/rows.py, which its code imports",
        "deps miss src/finetune/tasks/price/rows.py, which its code imports",
    ]
    deps = [*ALL, "src/finetune/cleaner.py", "src/finetune/tasks"]
    assert problems(with_kinds, deps, foreach=False) == []


def test_imports_for_type_checkers_alone_are_none(project):
    write(
        project / "src/finetune/knives.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from finetune import other\n",
    )
    assert problems(project) == []


WATCH = "${item.train.selection.watch}"
SELECTION = "src/finetune/training/selection.py"
LAZILY = "def work(score):\n    if score:\n        from finetune.training import selection\n"


@pytest.fixture
def with_selection(project) -> Path:
    """The same, and a module of training/ that is imported under a condition."""
    write(project / SELECTION, "from finetune import judge")
    write(project / "src/finetune/judge.py", "")
    write(project / "src/finetune/knives.py", LAZILY)
    return project


def test_what_a_conditional_module_imports_is_covered_by_its_parameter(with_selection):
    deps = [*ALL, SELECTION]
    assert problems(with_selection, [*deps, WATCH]) == []
    judge = "deps miss src/finetune/judge.py, which its code imports"
    assert problems(with_selection, deps) == [judge]
    # The module itself is imported code like any other.
    assert problems(with_selection, [*ALL, WATCH]) == [
        f"deps miss {SELECTION}, which its code imports"
    ]


def test_a_conditional_module_that_is_imported_always_is_followed(with_selection):
    write(with_selection / "src/finetune/room.py", "from finetune.training import selection")
    write(with_selection / "src/finetune/knives.py", "from finetune import tools\n" + LAZILY)
    assert problems(with_selection, [*ALL, SELECTION, WATCH])[0] == (
        "deps miss src/finetune/judge.py, which its code imports"
    )


def test_what_is_imported_beside_a_conditional_module_must_be_declared(with_selection):
    write(with_selection / "src/finetune/knives.py", LAZILY + "    from finetune import judge\n")
    assert problems(with_selection, [*ALL, SELECTION, WATCH]) == [
        "deps miss src/finetune/judge.py, which its code imports"
    ]


def test_a_parameter_of_a_conditional_module_that_is_not_imported_is_needless(with_selection):
    write(with_selection / "src/finetune/knives.py", "")
    assert problems(with_selection, [*ALL, WATCH]) == [
        f"deps list {WATCH}, whose module its code does not import"
    ]


def test_a_conditional_module_imports_nothing_that_its_parameter_does_not_cover(
    with_selection, monkeypatch
):
    narrow = {Path(SELECTION): (WATCH, Path("src/finetune/training"))}
    monkeypatch.setattr(stages, "CONDITIONAL", narrow)
    assert problems(with_selection, [*ALL, SELECTION, WATCH]) == [
        f"src/finetune/training does not cover src/finetune/judge.py, which {SELECTION} imports"
    ]


def test_a_command_that_is_no_module_is_told(project):
    (project / "dvc.yaml").write_text("stages:\n  fetch: {cmd: ./fetch.sh}\n")
    assert stages.problems(project) == [
        "dvc.yaml: stage fetch: cmd is './fetch.sh', must be python -m MODULE …"
    ]


@pytest.mark.parametrize("name", ["${key}", "'${key}'", "${item.kind}"])
def test_a_command_that_hands_a_name_to_the_shell_is_told(project, name):
    (problem,) = problems(project, command=f"python -m finetune.stages.fetch {name}")
    assert "must hold no ${…}" in problem


def test_this_repository_declares_all_it_imports_and_reads():
    assert stages.problems(ROOT) == []
