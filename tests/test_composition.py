import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from finetune.composition import compose, flat
from finetune.core import params
from finetune.core.errors import ParamsError
from hydra_plugins.finetune_resolvers import folder

ROOT = Path(__file__).parent.parent


def test_params_yaml_is_what_conf_composes_to():
    assert (ROOT / "params.yaml").read_text(encoding="utf-8") == compose(ROOT, [])


def test_a_task_is_left_out_with_a_tilde():
    assert list(params.validate_text(compose(ROOT, ["~tasks.price"]), "conf").tasks) == ["samsum"]


def test_a_task_is_added_under_a_name_of_its_own():
    text = compose(ROOT, ["+task@tasks.mine=samsum", "tasks.mine.eval.shots=7"])
    tasks = params.validate_text(text, "conf").tasks
    assert list(tasks) == ["samsum", "price", "mine"]
    assert tasks["mine"].kind == "summarization"
    assert (tasks["mine"].eval.shots, tasks["samsum"].eval.shots) == (7, 2)


def test_an_experiment_changes_its_own_keys_alone():
    default, quick = flat(compose(ROOT, [])), flat(compose(ROOT, ["experiment=quick"]))
    assert {key for key in quick if quick[key] != default[key]} == {
        "data.limit.train", "data.limit.validation", "data.limit.test",
        *(
            f"{section}.{name}"
            for section in ("train", "tasks.samsum.train", "tasks.price.train")
            for name in ("max_steps", "num_evals")
        ),
        "eval.draws", "tasks.samsum.eval.draws", "tasks.price.eval.draws",
    }  # fmt: skip
    assert quick["train.max_steps"] == 4


def test_what_tasks_start_from_moves_all_and_a_tasks_own_moves_one():
    both = flat(compose(ROOT, ["train.learning_rate=0.1"]))
    assert both["tasks.samsum.train.learning_rate"] == 0.1
    assert both["tasks.price.train.learning_rate"] == 0.1
    assert flat(compose(ROOT, ["eval.draws=5"]))["tasks.price.eval.draws"] == 5
    one = flat(compose(ROOT, ["tasks.price.train.learning_rate=0.1"]))
    assert one["tasks.price.train.learning_rate"] == 0.1
    assert one["tasks.samsum.train.learning_rate"] == one["train.learning_rate"] != 0.1


ASKED = ["tasks.price.eval.top_k=7", "tasks.price.score.hit_within=9.0", "tasks.price.primary=hits"]


def train_of_price(overrides: list[str]) -> dict[str, object]:
    """What the stage train depends on of a task."""
    composed = flat(compose(ROOT, overrides))
    return {k: v for k, v in composed.items() if k.startswith("tasks.price.train.")}


def test_choosing_by_loss_does_not_depend_on_eval_or_score():
    assert train_of_price(ASKED) == train_of_price([])


def test_choosing_by_score_depends_on_what_makes_the_score_of_that_task():
    by_score = "tasks.price.train.select_by=score"
    before, after = train_of_price([by_score]), train_of_price([by_score, *ASKED])
    where = "tasks.price.train.selection"
    assert {key: after[key] for key in after if after[key] != before[key]} == {
        f"{where}.eval.top_k": 7, f"{where}.score.hit_within": 9.0, f"{where}.primary": "hits",
    }  # fmt: skip
    assert after[f"{where}.watch"] == "src/finetune"
    # Of few-shot prompts and further draws validation during training knows nothing.
    others = ["tasks.price.eval.shots=9", "tasks.price.eval.draws=9", "tasks.samsum.eval.seed=9"]
    assert train_of_price([by_score, *others]) == before


def test_all_tasks_choose_by_score_where_their_template_says_so():
    read = params.validate_text(compose(ROOT, ["train.select_by=score"]), "conf")
    assert [task.train.selection.primary for task in read.tasks.values()] == ["rouge1", "mae"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("top_k: 3", "top_k: 4"),  # the first of the two is that of the task's own eval or copy
        ("select_by: score", "select_by: loss"),
        ("watch: src/finetune\n", "watch: src/finetune/core\n"),
    ],
)
def test_a_selection_that_is_not_that_of_its_task_is_refused(old, new):
    text = compose(ROOT, ["tasks.price.train.select_by=score"])
    assert old in text
    with pytest.raises(ParamsError, match=r"tasks.price.train.selection: is not composed from"):
        params.validate_text(text.replace(old, new, 1), "params.yaml")


def test_an_adapter_of_several_tasks_depends_on_their_rows_and_prompts():
    train = {
        name: task.train
        for name, task in params.validate_text(
            compose(ROOT, ["experiment=mixed", "tasks.price.prompt.max_tokens=99"]), "conf"
        ).tasks.items()
    }
    mixed = train["samsum"].mixed
    assert mixed is not None
    assert (mixed.data, mixed.code) == ("data/prepared", "src/finetune/tasks")
    assert mixed.tasks["price"].prompt["max_tokens"] == 99
    assert train["price"].mixed is not None
    assert train["price"].mixed.data == "models/samsum"
    of_default = params.validate_text(compose(ROOT, []), "conf").tasks["samsum"].train
    assert of_default.mixed is not None
    assert not of_default.mixed.tasks


def test_a_config_that_is_older_than_mixtures_composes_and_can_have_them(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    file = tmp_path / "conf/task/price.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    old = [line for line in lines if not line.startswith(("  mix:", "  adapter_of:", "  mixed:"))]
    assert len(old) == len(lines) - 3
    file.write_text("\n".join(old) + "\n", encoding="utf-8")
    assert flat(compose(tmp_path, [])) == flat(compose(ROOT, []))
    asked = ["tasks.price.train.adapter_of=samsum"]
    assert flat(compose(tmp_path, asked)) == flat(compose(ROOT, asked))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+tasks.samsum.train.mix.lamps=1"], r"mix: 'lamps' is no other task; .* price"),
        (["experiment=mixed", "~tasks.price"], r"train.mix: 'price' is no other task; .*: none"),
        (["tasks.price.train.adapter_of=price"], r"adapter_of: 'price' is no other task"),
        (["experiment=mixed", "+tasks.price.train.mix.samsum=1"], r"takes an adapter trains none"),
        (
            ["tasks.samsum.train.adapter_of=price", "tasks.price.train.adapter_of=samsum"],
            r"samsum.train.adapter_of: price takes another's adapter itself",
        ),
        (["experiment=mixed", "tasks.samsum.train.mix.price=0"], r"mix.price: is 0.*greater than"),
        (
            ["experiment=mixed", "model=hosted", "method=hosted"],
            r"mix: is not for method.tuner=hosted",
        ),
    ],
)  # fmt: skip
def test_what_other_tasks_can_have_to_do_with_an_adapter(overrides, message):
    with pytest.raises(ParamsError, match=message):
        params.validate_text(compose(ROOT, overrides), "params.yaml")


def test_a_mixture_that_is_not_that_of_its_tasks_is_refused():
    text = compose(ROOT, ["experiment=mixed"])
    changed = text.replace("data: data/prepared", "data: data/raw")
    with pytest.raises(ParamsError, match=r"tasks.samsum.train.mixed: is not composed from mix"):
        params.validate_text(changed, "params.yaml")


def test_an_experiment_chooses_other_groups():
    text = compose(ROOT, ["experiment=samsum-llama-1b"])
    read = params.validate_text(text, "conf")
    assert (read.data.source, read.model.source) == ("hub", "hub")
    assert read.train.learning_rate == 0.0002


METHODS = {
    "qlora": ("lora", "nf4"),
    "qlora_int8": ("lora", "int8"),
    "lora": ("lora", "none"),
    "prefix": ("prefix", "none"),
    "full": ("full", "none"),
    "regression_head": ("regression_head", "nf4"),
    "hosted": ("hosted", "none"),
}
# What a method needs beside itself: the one that answers with numbers takes no tasks whose answers
# are texts, a provider tunes its own models.
BESIDE = defaultdict(list, regression_head=["~tasks.samsum"], hosted=["model=hosted"])


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_a_tuner_a_precision_and_a_rate_that_fits(name):
    read = params.validate_text(compose(ROOT, [f"method={name}", *BESIDE[name]]), "conf")
    assert (read.method.tuner, read.method.quantization) == METHODS[name]
    rates = {task.train.learning_rate for task in read.tasks.values()}
    assert rates == {read.train.learning_rate}
    assert {file.stem for file in (ROOT / "conf/method").glob("*.yaml")} == set(METHODS)


def test_the_rate_of_a_method_gives_way_to_an_experiment_and_to_an_override():
    def rate(*overrides: str) -> object:
        return flat(compose(ROOT, ["method=full", *overrides]))["tasks.price.train.learning_rate"]

    assert rate() < flat(compose(ROOT, []))["train.learning_rate"] == 0.002
    assert rate("experiment=t4") == 0.0002
    assert rate("train.learning_rate=0.1") == 0.1


def test_a_part_of_a_method_is_overridden_alone():
    read = params.validate_text(compose(ROOT, ["method.quantization=none"]), "conf")
    assert read.method.quantization == "none"
    assert read.method.double_quantization
    ratio = params.validate_text(compose(ROOT, ["lora.alpha_ratio=2", "lora.r=64"]), "conf")
    assert ratio.lora.effective_alpha == 128


@pytest.mark.parametrize("group", ["model", "method", "experiment"])
def test_every_model_and_experiment_composes(group):
    for file in sorted((ROOT / "conf" / group).glob("*.yaml")):
        # Folders that are not there: the user's own, and that which `make smollm2` makes.
        is_elsewhere = file.stem == "local" or "smollm2-135m-gguf" in file.read_text()
        is_elsewhere |= file.stem == "smollm2-135m-gguf"
        name = ["model.name=models/embedded"] if is_elsewhere else []
        beside = BESIDE[file.stem] if group == "method" else []
        beside += ["data.root=docs"] if file.stem == "docs-assistant" else []
        overrides = [f"{group}={file.stem}", *beside, *name]
        read = params.validate_text(compose(ROOT, overrides), "conf")
        # As it comes on a box with a network: what is of the hub has a commit, or fetch finds it.
        assert read.model.source in ("local", "hosted") or read.model.revision


def test_an_override_stands_above_the_experiment():
    assert flat(compose(ROOT, ["experiment=quick", "train.max_steps=9"]))["train.max_steps"] == 9


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lora.rank=8", "rank"),
        ("model=nope", "nope"),
        ("experiment=nope", "nope"),
        ("lora.r=", None),  # no value: null, which only validation refuses
        ("lora.r==[", "lora.r"),
        ("~tasks.prices", "tasks.prices"),
    ],
)
def test_an_override_that_does_not_fit_is_one_line(override, said):
    with pytest.raises(ParamsError) as raised:
        params.validate_text(compose(ROOT, [override]), "conf")
    assert (said or "lora.r") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_config_that_is_not_there_is_a_mistake(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf/method/qlora.yaml").unlink()
    with pytest.raises(ParamsError, match="method/qlora"):
        compose(tmp_path, [])


def test_flat_gives_values_by_dotted_key():
    text = "a:\n  b: 1\n  c: {d: [1, 2], e: {}}\nf: null\ng: 1e-05\n"
    assert flat(text) == {"a.b": 1, "a.c.d": [1, 2], "a.c.e": {}, "f": None, "g": 1e-5}


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """An empty folder to stand in, as if it were the repository, with a folder beside it."""
    inside = tmp_path / "repository"
    (inside / "rows").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    monkeypatch.chdir(inside)
    return inside


def run_with(monkeypatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["dvc", "exp", "run", *options])


@pytest.mark.parametrize("path", [None, "nowhere", "/nowhere"])
def test_a_folder_that_is_not_there_is_told_by_its_key(repository, capsys, path):
    with pytest.raises(ValueError, match=r"data\.root: ") as raised:
        folder("data.root", path)
    assert ("-S data.root=DIR" if path is None else f"no folder '{path}'") in str(raised.value)
    # DVC wraps what it is given, so that the line also goes to the terminal by itself.
    assert f"finetune: {raised.value}\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("group", "key"), [("data=files", "data.root"), ("model=local", "model.name")]
)
def test_a_config_that_takes_a_folder_looks_whether_it_is_there(repository, group, key):
    with pytest.raises(ParamsError, match=f"{key}: no folder 'nowhere'"):
        compose(ROOT, [group, f"{key}=nowhere"])
    composed = flat(compose(ROOT, [group, f"{key}=rows"]))
    assert composed[key] == composed[f"{key.split('.')[0]}.watch"] == "rows"


@pytest.mark.parametrize("path", ["rows", "../beside", "{here}/rows", "{here}/../beside"])
def test_a_folder_that_is_there_is_taken_as_given(repository, monkeypatch, path):
    run_with(monkeypatch)
    path = path.format(here=repository)
    assert folder("data.root", path) == path


@pytest.mark.parametrize("option", ["--queue", "--temp"])
def test_a_run_elsewhere_refuses_a_relative_folder_outside(repository, monkeypatch, option):
    run_with(monkeypatch, option)
    with pytest.raises(
        ValueError, match=r"data\.root: '\.\./beside' is relative and out"
    ) as raised:
        folder("data.root", "../beside")
    assert str(raised.value).endswith(f"give {repository.parent / 'beside'}")


@pytest.mark.parametrize("path", ["rows", "{here}/rows", "{here}/../beside"])
def test_a_run_elsewhere_takes_absolute_folders_and_those_inside(repository, monkeypatch, path):
    run_with(monkeypatch, "--queue")
    path = path.format(here=repository)
    subprocess.run(["git", "init", "-q"], check=True)
    (repository / "rows/train.json").write_text("[]")
    subprocess.run(["git", "add", "rows"], check=True)
    assert folder("data.root", path) == path


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lora.rank=3", "lora.rank: is not a parameter; known here: r, alpha, alpha_ratio, "),
        ("tasks.price.evl.shots=3", "tasks.price.evl: is not a parameter; known here: kind, "),
        ("tasks.price.eval.batch_size=3", "tasks.price.eval.batch_size: is not a parameter any "
         "more; set run.eval_token_budget instead"),
        ("report.usd_per_hour=3", "report.usd_per_hour: is not a parameter any more; set run.usd_"),
        ("nope=1", "nope: is not a parameter; known here: tasks, data, model, lora, train, method"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_one_line_with_those_that_there_are(capsys, override, said):
    with pytest.raises(ParamsError) as refused:
        compose(ROOT, ["lora.r=8", override])
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert capsys.readouterr().err == ""  # who catches it prints it, once


def test_overrides_that_fit_are_not_blamed_for_one_that_does_not():
    with pytest.raises(ParamsError, match=r"^lora.rank: is not a parameter"):
        compose(ROOT, ["~tasks.price", "lora.rank=3", "+tasks.samsum.source.hub.config=x"])


def test_a_run_elsewhere_refuses_a_folder_that_git_does_not_know(repository, monkeypatch):
    run_with(monkeypatch, "--queue")
    subprocess.run(["git", "init", "-q"], check=True)
    with pytest.raises(ValueError, match=r"data\.root: 'rows' is not in Git, .* give /.*/rows"):
        folder("data.root", "rows")


def test_a_model_that_a_command_makes_is_told_with_the_command(repository, monkeypatch, capsys):
    run_with(monkeypatch)
    with pytest.raises(ValueError, match=r"'rows' holds no model yet; run `make rows`, which"):
        folder("model.name", "rows", "make rows")
    Path("rows/config.json").touch()
    assert folder("model.name", "rows", "make rows") == "rows"
    # What is made is in no Git: a run elsewhere would find the folder, and no model in it.
    run_with(monkeypatch, "--queue")
    subprocess.run(["git", "init", "-q"], check=True)
    Path("rows/dvc.yaml").touch()
    subprocess.run(["git", "add", "rows/dvc.yaml"], check=True)
    with pytest.raises(ValueError, match=r"'rows' is not in Git, .* give /.*/rows"):
        folder("model.name", "rows", "make rows")
    assert folder("model.name", f"{repository}/rows", "make rows") == f"{repository}/rows"


def test_the_model_of_the_package_index_asks_for_its_command(repository):
    Path("models/smollm2").mkdir(parents=True)
    said = "^model.name: 'models/smollm2' holds no model yet; run `make smollm2`"
    with pytest.raises(ParamsError, match=said):
        compose(ROOT, ["model=smollm2-135m-gguf"])
    Path("models/smollm2/config.json").touch()
    assert flat(compose(ROOT, ["model=smollm2-135m-gguf"]))["model.watch"] == "models/smollm2"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+task@tasks.embedded=price", "'embedded' cannot be a task's name"),
        ("+task@tasks.Price=price", "'price' and 'Price' differ in nothing but upper case"),
        ("+tasks._x={kind: price}", "'_x' cannot be a task's name"),
    ],
)
def test_a_task_that_cannot_be_called_so_does_not_compose(override, said):
    with pytest.raises(ParamsError, match=said):
        compose(ROOT, [override])
