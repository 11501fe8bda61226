import shutil
from pathlib import Path

import pytest

from finetune.checks import parameters
from finetune.composition import compose
from finetune.core.errors import ParamsError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A copy of conf/ and params.yaml, and what DIR in a header stands for."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "models/embedded").mkdir(parents=True)
    (tmp_path / "models/embedded/config.json").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_each_key_in_which_params_yaml_and_conf_differ_is_a_line(root):
    edit(root / "params.yaml", "  r: 16\n", "  r: 99\n")
    edit(root / "params.yaml", "  dropout: 0.0\n", "  rank: 3\n")
    edit(root / "params.yaml", "    - lead3\n    - longest3\n", "")
    assert parameters.differences(root) == [
        'tasks.samsum.baselines: conf=["lead1", "lead3", "longest3", "lexrank", "oracle3"] '
        'params.yaml=["lead1", "lexrank", "oracle3"]',
        "lora.r: conf=16 params.yaml=99",
        "lora.dropout: conf=0.0 params.yaml=(nothing)",
        "lora.rank: conf=(nothing) params.yaml=3",
    ]


def test_an_edit_of_conf_is_a_difference_too(root):
    edit(root / "conf/lora/default.yaml", "r: 16 ", "r: 8 ")
    assert parameters.differences(root) == ["lora.r: conf=8 params.yaml=16"]


def test_values_that_are_equal_but_of_another_type_differ(root):
    edit(root / "params.yaml", "  r: 16\n", "  r: 16.0\n")
    edit(root / "params.yaml", "  stemmer: true\n", "  stemmer: 1\n")
    assert parameters.differences(root) == [
        "tasks.samsum.score.stemmer: conf=true params.yaml=1",
        "lora.r: conf=16 params.yaml=16.0",
    ]


def test_a_key_without_value_is_not_a_missing_key(root):
    edit(root / "params.yaml", "\n  max_steps: null\n", "\n")
    assert parameters.differences(root) == ["train.max_steps: conf=null params.yaml=(nothing)"]


def test_a_missing_params_yaml_lacks_every_key(root):
    (root / "params.yaml").unlink()
    lines = parameters.differences(root)
    assert "lora.r: conf=16 params.yaml=(nothing)" in lines
    assert all(line.endswith("params.yaml=(nothing)") for line in lines)


def test_a_params_yaml_with_a_conflict_of_a_merge_is_told_and_not_thrown(root):
    edit(root / "params.yaml", "  r: 16\n", "<<<<<<< HEAD\n  r: 16\n=======\n  r: 8\n>>>>>>> x\n")
    assert "params.yaml" in " ".join(parameters.differences(root))


def test_a_conf_that_does_not_compose_is_the_only_line(root):
    (root / "conf/method/qlora.yaml").unlink()
    (line,) = parameters.differences(root)
    assert "method/qlora" in line


def test_a_model_that_is_not_made_here_breaks_no_file(root):
    files = [
        file for file in (root / "conf").rglob("*.yaml") if "make smollm2 && " in file.read_text()
    ]
    assert root / "conf/model/smollm2-135m-gguf.yaml" in files
    assert [said for file in files for said in parameters.problems_of(root, file)] == []


@pytest.mark.long  # half a minute, and part of `make check`
def test_this_repository_has_no_problems(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert parameters.problems(ROOT) == []


def test_a_model_that_is_yet_to_be_pinned_is_no_problem(root):
    file = root / "conf/model/qwen3-8b.yaml"
    edit(file, "b968826d9c46dd6066d109eabc6255188de91218", "null")
    assert parameters.problems_of(root, file) == []


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "its header names no command that uses it"),
        ("#   dvc exp run\n", "its header names no command that uses it"),
        ("# Run:  dvc exp run -S lora.rank=3\n", "`lora.rank=3`: lora.rank: "),
        ("# Run:  dvc exp run -S lora.r=0\n", "`lora.r=0`: conf/config.yaml: lora.r: is 0, must"),
        ("# Run:  dvc exp run -S lora.r=4,0\n", "`lora.r=0`: conf/config.yaml: lora.r: is 0, must"),
    ],
)
def test_a_config_file_whose_header_has_no_command_that_works_is_told(tmp_path, header, said):
    config = tmp_path / "conf/config.yaml"
    config.parent.mkdir()
    everything = (ROOT / "params.yaml").read_text(encoding="utf-8")
    config.write_text(f"# Run:  dvc exp run -S lora.r=8\n{everything}", encoding="utf-8")
    assert parameters.broken_files(tmp_path) == []
    config.write_text(f"{header}{everything}", encoding="utf-8")
    (line,) = parameters.broken_files(tmp_path)
    assert line.startswith(f"conf/config.yaml: {said}")


@pytest.mark.parametrize(
    ("header", "commands"),
    [
        ("# The adapter:  dvc exp run -S lora.r=64", [["lora.r=64"]]),
        ("# One.\n#   dvc exp run -S model=a -S data=hub\n", [["model=a", "data=hub"]]),
        (
            "# dvc exp run -S a=1      dvc exp run --queue -S 'lora.r=8,16'",
            [["a=1"], ["lora.r=8"], ["lora.r=16"]],
        ),
        ("# dvc exp run -S 'a=1,2' -S 'b=3,4'", [
            ["a=1", "b=3"], ["a=1", "b=4"], ["a=2", "b=3"], ["a=2", "b=4"],
        ]),
        # DVC hands it on with a value, which Hydra takes for the same.
        ("# dvc exp run -S '~tasks.price'   (this task alone)", [["~tasks.price=null"]]),
        ("# dvc exp run -S '~tasks.price' (this task alone)", [["~tasks.price=null"]]),
        ("# dvc exp run -S model.name=DIR", [["model.name=models/embedded"]]),
        ("# make x && dvc exp run -S model=x", [["model=x", "model.name=models/embedded"]]),
        ("# Nothing to run", []),
        ("# dvc exp run", []),
        ("", []),
    ],
)  # fmt: skip
def test_commands_of_a_header_are_found_with_their_overrides(header, commands):
    assert parameters.header_commands(f"{header}\nr: 16 # dvc exp run -S lora.r=1\n") == commands


def test_a_file_that_is_no_yaml_is_one_line_and_not_one_for_each_config(root):
    file = root / "conf/lora/default.yaml"
    file.write_text(f"{file.read_text(encoding='utf-8')}\nfoo: [1\n")
    (line,) = parameters.problems(Path())
    assert line.startswith("conf/lora/default.yaml: cannot be read: line ")


def test_a_default_that_is_not_there_is_one_line_too(root):
    edit(root / "conf/config.yaml", "- lora: default", "- lora: defualt")
    (line,) = parameters.problems(Path())
    assert "Could not find 'lora/defualt'" in line
    assert "\n" not in line


def test_what_no_constructor_takes_is_told_with_its_file(root):
    edit(root / "conf/lora/default.yaml", "r: 16 ", "r: !!int abc ")
    with pytest.raises(ParamsError, match=r"^conf/lora/default.yaml: line \d+: 'abc' cannot be r"):
        compose(Path(), [])
