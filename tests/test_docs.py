"""The README, docs/ and the notebook: their length, their links, and every command in them."""

import argparse
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from doc_pages import PAGES, ROOT, blocks, commands, sections, text_of, without_blocks
from dvc.cli.parser import get_main_parser

from finetune import cli
from finetune.checks import parameters
from finetune.composition import compose
from finetune.core import params
from finetune.tasks import registry

TEXTS = {str(page.relative_to(ROOT)): text_of(page) for page in PAGES}
COURSES = [page for page in PAGES if page.parent.name == "courses" and page.name != "README.md"]
COMMANDS = [(page, command) for page, text in TEXTS.items() for command in commands(text)]
OVERRIDES = re.compile(r"(?<!`)`(-S [^`\n]+)`(?!`)")
PATHS = re.compile(r"(?<!`)`((?:src|conf|docs|tests|bench|models)/[\w./-]+)`(?!`)")
FIGURES = re.compile(r"(?<![\w.,-])[-+−]?\d+(?:[.,]\d+)*(?![\w-]|[.,]\d)")
EXAMPLES = ("conf/task/products.yaml", "conf/task/lamps.yaml")  # what `finetune init` would write
CONFIG = re.compile(r"# (conf/[\w./-]+)\n")


def of(program: str) -> list:
    """Each command of a program, with its page."""
    return [
        pytest.param(shlex.split(command)[1:], id=f"{page}: {command}")
        for page, command in COMMANDS
        if command.split()[0] == program
    ]


def experiments() -> list:
    """The `dvc exp run` commands, and overrides that stand alone."""
    lines = [(page, c) for page, c in COMMANDS if c.startswith("dvc exp run")]
    for page, text in TEXTS.items():
        lines += [(page, f"dvc exp run {o}") for o in OVERRIDES.findall(without_blocks(text))]
    for name in ("plan", "preflight"):
        start = f"finetune {name}"
        lines += [
            (page, c.replace(start, "dvc exp run").partition(" --gpu")[0])
            for page, c in COMMANDS
            if c.startswith(f"{start} ")
        ]
    return [pytest.param(line, id=f"{page}: {line}") for page, line in dict.fromkeys(lines)]


def added() -> dict[str, str]:
    """Config files that the pages tell a reader to write."""
    texts = [b.text for text in TEXTS.values() for b in blocks(text) if b.language == "yaml"]
    return {place[1]: text for text in texts if (place := CONFIG.match(text))}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """conf/ with what the pages add to it."""
    folder = tmp_path_factory.mktemp("composed")
    shutil.copytree(ROOT / "conf", folder / "conf")
    for name, text in added().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_readme_has_at_most_1100_words():
    words = re.findall(r"\S*\w\S*", without_blocks(TEXTS["README.md"]))
    assert len(words) <= 1100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = without_blocks(text_of(page))
    targets = re.findall(r"\]\(([^)#]+)", text) + re.findall(r"src(?:set)?=\"([^\"]+)\"", text)
    for target in targets:
        assert target.startswith("https://") or (page.parent / target).exists(), target
    for path in PATHS.findall(text):
        assert (ROOT / path).exists() or path in EXAMPLES, path


def test_every_page_is_linked_from_the_readme_or_from_the_courses_own():
    pages = set(TEXTS) - {"README.md"} - {str(page.relative_to(ROOT)) for page in COURSES}
    assert [page for page in sorted(pages) if f"({page})" not in TEXTS["README.md"]] == []
    index = TEXTS["docs/courses/README.md"]
    assert [page.name for page in COURSES if f"({page.name})" not in index] == []


@pytest.mark.parametrize("page", COURSES, ids=lambda page: page.name)
def test_a_course_page_quotes_no_figure_that_a_page_it_links_to_has_not(page):
    said = sections(page)["Measured here"]
    linked = {(page.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)", said)}
    known = "\n".join(target.read_text(encoding="utf-8") for target in linked)
    figures = set(FIGURES.findall(re.sub(r"\]\([^)]*\)", "", said)))
    assert linked
    assert [figure for figure in sorted(figures) if not stands_in(figure, known)] == []


def stands_in(figure: str, text: str) -> bool:
    """Whether a number stands in a text as a whole, not as digits of another one."""
    return re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d]|[.,]\d)", text) is not None


def names_of_ours() -> list[str]:
    (commands,) = (
        action.choices
        for action in cli.parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return list(commands)


def test_every_command_of_ours_is_mentioned():
    mentioned = " ".join(TEXTS.values())
    assert [name for name in names_of_ours() if f"finetune {name}" not in mentioned] == []


@pytest.mark.parametrize("command", of("finetune"))
def test_commands_of_ours_parse(command):
    if len(command) == 1:
        assert command[0] in names_of_ours()  # a mention, maybe without the arguments
    else:
        cli.parser().parse_args(command)


@pytest.mark.parametrize("command", of("dvc"))
def test_commands_of_dvc_parse(command):
    get_main_parser().parse_args(command)


@pytest.mark.parametrize("command", of("make"))
def test_targets_of_make_exist(command):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert command[0] in targets


@pytest.mark.parametrize("line", experiments())
def test_experiments_compose_and_validate(root, monkeypatch, line):
    kinds = {name: yaml.safe_load(text).get("kind") for name, text in added().items()}
    written = [name for name, kind in kinds.items() if kind and kind not in registry.names()]
    if any(f"={Path(name).stem}" in line for name in written):
        pytest.skip("of a kind that the page writes: composed and run by test_readme_howto.py")
    monkeypatch.chdir(ROOT)  # where models are looked for
    made = "make smollm2 && " if "smollm2" in line else ""
    combinations = parameters.header_commands(f"# {made}{line}")
    assert combinations or line == "dvc exp run"
    for overrides in combinations:
        params.validate_text(compose(root, overrides), line)
