"""YAML that is no YAML, and YAML that would take minutes: each one line with its place."""

import shutil
import time
from pathlib import Path

import pytest

from finetune.core import params, pipeline_yaml, yaml_text
from finetune.core.errors import FileError, ParamsError, brief

ROOT = Path(__file__).parents[2]


def message(text: str) -> str:
    with pytest.raises(FileError) as raised:
        yaml_text.parse(text, "a.yaml")
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("!!int abc", "line 2: 'abc' cannot be read as int"),
        ("!!float abc", "line 2: 'abc' cannot be read as float"),
        ("!!bool abc", "line 2: 'abc' cannot be read as bool"),
        ("!!timestamp abc", "line 2: 'abc' cannot be read as timestamp"),
        ("2020-99-99", "line 2: '2020-99-99' cannot be read as timestamp"),
        ("9" * 5000, "line 2: '99999"),
        ("[1", "cannot be read: line 3, column 1: while parsing a flow sequence that begins in "),
        ("*b", "line 2: *b is an alias of nothing that stands before it"),
        ("&a [*a]", "line 2: *a is an alias of nothing that stands before it"),
        ("!!python/object/apply:os.system [id]", "cannot be read: line 2, column 4: could not "),
        ('"\\ud83d"', "cannot be read: line 2, column "),
        ("[" * 5000, "line 2: nested deeper than 100; is a bracket open?"),
        ("<<<<<<< HEAD", None),
    ],
)
def test_a_value_that_cannot_be_read_is_told_with_its_line(value, said):
    if said is None:
        assert "line 2: a conflict of Git" in message(f"a: 1\n{value}\n")
    else:
        assert message(f"a: 1\nb: {value}\n").startswith(f"a.yaml: {said}")


def test_aliases_of_aliases_end_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    start = time.perf_counter()
    assert "line 4: its aliases repeat more than 10,000 values" in message("\n".join(lines))
    assert time.perf_counter() - start < 2


def test_a_few_aliases_are_read_and_so_are_large_files():
    assert yaml_text.parse("a: &a [1, 2]\nb: [*a, *a]\n", "a.yaml")["b"] == [[1, 2], [1, 2]]
    assert len(yaml_text.parse("- 1\n" * 12_000, "a.yaml")) == 12_000
    assert yaml_text.parse("", "a.yaml") is None


@pytest.mark.parametrize("line", ["x: !!int abc", f"x: {'9' * 5000}", "x: &a [*a]", "x: [1"])
def test_params_yaml_is_refused_in_one_line(tmp_path, line):
    file = tmp_path / "params.yaml"
    file.write_text(f"{(ROOT / 'params.yaml').read_text()}\n{line}\n")
    with pytest.raises(ParamsError) as raised:
        params.read(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_params_yaml_may_be_a_folder_or_a_loop_of_links(tmp_path):
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(IsADirectoryError):  # `explained` makes a line of it
        params.read(tmp_path / "params.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(OSError, match="symbolic links"):
        params.read(tmp_path / "loop.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("stages:", "stagse:", "dvc.yaml: has no section `stages`; see `git diff dvc.yaml`"),
        ("  fetch:", "  fetchh:", "dvc.yaml: has no stage 'fetch'; it has fetchh, prepare, "),
        ("    do:", "    doo:", "dvc.yaml: stage fetch: cmd is None, must be a command"),
        ("cmd: ", "cmd: 3 #", "dvc.yaml: stage fetch: cmd is 3, must be a command"),
        ("params:", "params: 3\n      x:", "dvc.yaml: stage fetch: params is 3, must be a list"),
        ("- data.root", "- 7", "dvc.yaml: stage fetch: params is ['data.source', 7, "),
    ],
)
def test_a_slip_in_dvc_yaml_is_one_line(tmp_path, monkeypatch, old, new, said):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "dvc.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError) as raised:
        params.for_stage("fetch", "samsum")
    assert str(raised.value).startswith(said)


def test_an_entry_of_dvc_yaml_must_be_a_section(tmp_path):
    file = tmp_path / "dvc.yaml"
    for text in ("stages: {fetch: 3}", "stages: {fetch: {foreach: x, do: 3}}"):
        file.write_text(text)
        with pytest.raises(FileError, match="stage fetch: is 3, must be a section"):
            pipeline_yaml.stages(file)


def test_a_value_is_shown_in_brief_whatever_it_is():
    assert brief("x" * 3_000_000) == f"'{'x' * 59}…"
    assert brief(10**5000) == "a value of type int too long to show"
    assert brief([1]) == "[1]"
