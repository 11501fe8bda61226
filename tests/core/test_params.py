import copy
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from finetune.composition import compose, flat
from finetune.core import kinds, params, schema
from finetune.core.errors import ParamsError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def composed() -> str:
    return compose(ROOT, [])


@pytest.fixture
def changed(composed):
    """Gives the default values with one key, written with dots, set to another value."""
    defaults = OmegaConf.to_container(OmegaConf.create(composed))

    def change(key: str, value: object) -> dict:
        values = copy.deepcopy(defaults)
        *sections, last = key.split(".")
        node = values
        for section in sections:
            node = node[section]
        node[last] = value
        return values

    return change


def message(values: object) -> str:
    with pytest.raises(ParamsError) as raised:
        params.validate(values, "params.yaml")
    return str(raised.value)


def test_the_composed_defaults_validate(composed):
    read = params.validate_text(composed, "conf")
    assert list(read.tasks) == ["samsum", "price"]
    for task in read.tasks.values():
        assert type(task) is kinds.load(task.kind, "options").Task


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("lora.r", 0, "lora.r: is 0, must be greater than or equal to 1"),
        ("lora.r", "16", "lora.r: is '16', must be a valid integer"),
        ("lora.r", 16.5, "lora.r: is 16.5, must be a valid integer"),
        ("lora.r", True, "lora.r: is True, must be a valid integer"),
        ("lora.dropout", 1.5, "lora.dropout: is 1.5, must be less than 1"),
        (
            "lora.rank",
            8,
            "lora.rank: is not a parameter; known here: r, alpha, alpha_ratio, dropout, target_",
        ),
        ("lora.target_modules", 5, "lora.target_modules: is 5, must be a valid"),
        ("train.learning_rate", "fast", "train.learning_rate: is 'fast', must be a valid number"),
        ("train.learning_rate", float("nan"), "train.learning_rate: is nan, must be"),
        ("lora.alpha", float("inf"), "lora.alpha: is inf, must be a finite number"),
        (
            "data.source",
            "files",
            "data.root: is not set; give the folder: -S data=files -S data.root=",
        ),
        ("data.limit.train", 0, "data.limit.train: is 0, must be greater than or equal to 1"),
        (
            "data.validation_fraction",
            0.5,
            "data.validation_fraction: is 0.5, must be less than 0.5",
        ),
        ("data.max_bad_rate", 1.1, "data.max_bad_rate: is 1.1, must be less than or equal to 1"),
        (
            "model.revision",
            "main",
            "model.revision: is 'main', must match pattern '^[0-9a-f]{40}$'",
        ),
        ("tasks.samsum.source.hub.revision", "v1", "samsum.source.hub.revision: is 'v1', must"),
        ("tasks.price.kind", "prices", "tasks.price.kind: is 'prices', must be one of "),
        (
            "tasks.price.baselines",
            ["lead3"],
            "tasks.price.baselines: 'lead3' is none of mean, median",
        ),
        (
            "tasks.price.eval.estimate",
            "mean",
            "is 'mean', must be 'greedy', 'top_k_mean' or 'median'",
        ),
        (
            "tasks.price.eval.decode",
            "greedy",
            "tasks.price.eval.decode: is not a parameter; known here: shots, seed",
        ),
        (
            "tasks.samsum.eval.estimate",
            "median",
            "tasks.samsum.eval.estimate: is not a parameter; known here: shots, seed",
        ),
        (
            "tasks.samsum.source.hub.rev",
            "x",
            "tasks.samsum.source.hub.rev: is not a parameter; known here: repo, revision, config,",
        ),
        (
            "tasks.samsum.source.files.fields.summry",
            "summary",
            "tasks.samsum.source.files.fields: summry is not a field of a row; known: dialogue, id",
        ),
        (
            "tasks.samsum.source.files.fields.dialogue",
            ["a", "b"],
            "tasks.samsum.source.files.fields.dialogue: is a list, must be one path",
        ),
        (
            "tasks.samsum.source.files.fields.summary",
            [],
            "tasks.samsum.source.files.fields.summary: is [], must name a column",
        ),
        (
            "tasks.samsum.source.files.fields",
            {"id": "id", "dialogue": "text"},
            "tasks.samsum.source.files.fields: lacks summary for train; say where it stands",
        ),
        (
            "tasks.samsum.source.files.fields_by_split",
            {"test": {"summry": "x"}},
            "tasks.samsum.source.files.fields_by_split.test: summry is not a field of a row",
        ),
        (
            "tasks.price.source.files.fields_by_split",
            {"validation": {"text": "x"}},
            "tasks.price.source.files.fields_by_split: validation is not one of the splits",
        ),
        (
            "tasks.price.source.files.fields_by_split",
            {"test": {"price": None}},
            "tasks.price.source.files.fields: lacks price for test",
        ),
        (
            "tasks.price.source.files.splits",
            {"all": "a.csv", "test": "b.csv"},
            "tasks.price.source.files.splits: has all and others; all alone is split by prepare",
        ),
        (
            "tasks.price.source.files.splits",
            {"train": "a.csv"},
            "tasks.price.source.files.splits: lacks test; validation is made from train, and all",
        ),
        ("tasks.price.source.files.delimiter", ":", "delimiter: is ':', must be ',', ';', '"),
        (
            "tasks.price.source.hub.fields.summary",
            "summary",
            "tasks.price.source.hub.fields: summary is not a field of a row; known: category, id",
        ),
        (
            "nope",
            1,
            "nope: is not a parameter; known here: tasks, data, model, method, lora, train",
        ),
        (
            "method.tuner",
            "ia3",
            "method.tuner: is 'ia3', must be 'lora', 'prefix', 'full', 'regression_head' or "
            "'hosted'",
        ),
        ("method.tuner", "full", "method.quantization: is nf4, must be none with the tuner full"),
        ("method.tuner", "prefix", "method.virtual_tokens: is not set; the tuner prefix trains so"),
        (
            "method.virtual_tokens",
            8,
            "method.virtual_tokens: is 8, must be null with the tuner lora",
        ),
        (
            "method.tuner",
            "regression_head",
            "method.tuner: is regression_head, which answers with a number, and the answers of "
            "samsum are texts: leave them out (-S '~tasks.samsum'), or take another method "
            "(-S method=qlora)",
        ),
        (
            "lora.init",
            "pissa",
            "lora.init: is pissa, which needs an unquantized base: -S method=lo",
        ),
        (
            "lora.init",
            "eva",
            "lora.init: is 'eva', must be 'kaiming', 'gaussian', 'pissa', 'olora'",
        ),
        ("lora.target_modules", [], "lora.target_modules: is [], must have at least 1 item"),
        ("tasks", {}, "tasks: is {}, must"),
        ("lora", 5, "lora: is 5, must be a section: set lora.r, .alpha"),
        ("data.limit", 50, "data.limit: is 50, must be a section: set data.limit.train, .valid"),
        ("tasks.price.eval", 3, "tasks.price.eval: is 3, must be a section: set tasks.price.eval."),
        (
            "run.costs.utilization",
            0.9,
            "is 0.9, must be a section: set run.costs.utilization.value, .date, .source",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_key_and_what_is_allowed(changed, key, value, said):
    told = message(changed(key, value))
    assert told.startswith("params.yaml: ")
    assert said in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("tasks.price.eval.batch_size", 32, "tasks.price.eval.batch_size: is not a parameter any"
         " more; set run.eval_token_budget instead"),
        ("report", {"usd_per_hour": 2.0}, "report.usd_per_hour: is not a parameter any more; set "
         "run.usd_per_hour instead"),
        ("report", {"title": "x"}, "report: is not a parameter; known here: tasks"),
    ],
)  # fmt: skip
def test_a_key_that_has_another_name_now_is_told_with_it(changed, key, value, said):
    assert message(changed(key, value)).startswith(f"params.yaml: {said}")


def test_every_key_that_replaces_another_is_known(composed):
    known = flat(composed)
    assert [key for key in params.RENAMED.values() if key.format("price") not in known] == []


@pytest.mark.parametrize(
    ("key", "replaced", "message_of"),
    [
        ("data.max_bad_share", "data.max_bad_rate", "set data.max_bad_rate instead"),
        ("train.evaluations", "train.num_evals", "set train.num_evals instead"),
        ("tasks.price.ladder", "tasks.price.baselines", "set tasks.price.baselines instead"),
        (
            "tasks.price.eval.least_mass",
            "tasks.price.eval.min_mass",
            "set tasks.price.eval.min_mass instead",
        ),
    ],
)
def test_an_old_name_is_one_line_that_gives_the_new_one(changed, key, replaced, message_of):
    values = changed(key, 1)
    *sections, last = replaced.split(".")
    node = values
    for section in sections:
        node = node[section]
    del node[last]
    assert message(values) == f"params.yaml: {key}: is not a parameter any more; {message_of}"


def test_every_mistake_is_told_at_once(changed):
    values = changed("lora.r", 0)
    values["bootstrap"]["confidence"] = 95
    del values["train"]["seed"]
    told = message(values)
    assert "lora.r: is 0" in told
    assert "bootstrap.confidence: is 95, must be less than 1" in told
    assert "train.seed: is missing" in told


def test_a_method_for_numbers_takes_tasks_with_numbers_alone(changed):
    values = changed("method.tuner", "regression_head")
    both = values["tasks"]
    values["tasks"] = {"price": both["price"]}
    assert params.validate(values, "params.yaml").method.answers_numbers
    values["tasks"] = {"samsum": both["samsum"]}
    assert message(values).endswith("of samsum are texts: take another method (-S method=qlora)")


def test_a_task_without_kind_is_told_by_its_key(changed):
    values = changed("lora.r", 16)
    del values["tasks"]["price"]["kind"]
    told = message(values)
    assert "tasks.price" in told
    assert "kind" in told
    assert len(told) < 200


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lora.target_modules", ["q_proj", "v_proj"]),
        ("lora.target_modules", ["some_name_of_a_new_architecture"]),
        ("lora.alpha", 32),
        ("tasks.price.score.hit_within", 40),
        ("train.batch_size", 5),
        ("train.max_steps", 1),
        ("model.revision", "0" * 40),
        ("tasks.samsum.source.files.fields.summary", ["a", "b.0.text"]),
        ("tasks.samsum.source.files.fields_by_split", {"test": {"id": None, "summary": "all"}}),
        ("tasks.samsum.source.files.splits", {"all": "a.csv"}),
        # As a config has it that extends another.
        ("tasks.price.source.files.splits", {"train": None, "test": None, "all": "a.csv"}),
        (
            "tasks.samsum.source.files.splits",
            {"train": "a.csv", "validation": None, "test": "b.csv"},
        ),
    ],
)
def test_what_is_allowed_passes(changed, key, value):
    params.validate(changed(key, value), "params.yaml")


def test_numbers_in_scientific_notation_without_a_dot_are_numbers(composed):
    text = composed.replace("learning_rate: 0.002", "learning_rate: 1e-05")
    assert params.validate_text(text, "params.yaml").train.learning_rate == 1e-5


@pytest.mark.parametrize("text", ["lora: [1", "lora: 1\nlora: 2", "<<<<<<< HEAD\nlora: 1\n", "5"])
def test_what_is_no_yaml_section_is_one_line_with_the_file(tmp_path, text):
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(ParamsError) as raised:
        params.read(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(ParamsError, match=r"params.yaml: not found; run `finetune params`"):
        params.read(tmp_path / "params.yaml")


@pytest.fixture
def declare(composed):
    """Gives the default parameters as a stage sees them that declares the keys given."""
    everything = params.validate_text(composed, "conf")

    def declared(*keys: str, task: str | None = "samsum") -> params.Declared:
        return params.Declared(everything, "train", list(keys), task)

    return declared


def test_a_declared_section_is_readable_whole(declare):
    section = declare("lora").lora
    assert isinstance(section, schema.Lora)
    assert section.r == 16


@pytest.mark.parametrize("keys", [[], ["lora.r"], ["lor"], ["train"]])
def test_what_is_not_declared_cannot_be_read(declare, keys):
    with pytest.raises(params.UndeclaredParameter, match=r"stage train reads lora\.alpha, which"):
        _ = declare("lora.r", *keys).lora.alpha
    with pytest.raises(params.UndeclaredParameter, match="stage train reads bootstrap, which dvc"):
        _ = declare(*keys).bootstrap


def test_a_finer_key_lets_only_itself_through(declare):
    task = declare("tasks.samsum.eval").tasks.samsum
    assert task.eval.shots == 2
    with pytest.raises(params.UndeclaredParameter, match=r"reads tasks\.samsum\.prompt"):
        _ = task.prompt
    with pytest.raises(params.UndeclaredParameter, match=r"reads tasks\.price"):
        _ = declare("tasks.samsum.eval").tasks.price


def test_a_key_that_begins_like_a_declared_one_is_another(declare):
    with pytest.raises(params.UndeclaredParameter, match=r"reads data\.source"):
        _ = declare("data.sour").data.source


@pytest.mark.parametrize(("name", "kind"), [("samsum", "summarization"), ("price", "price")])
def test_task_stands_for_the_task_of_the_run(declare, name, kind):
    declared = declare(f"tasks.{name}.kind", task=name)
    assert declared.task.kind == kind
    with pytest.raises(params.UndeclaredParameter, match=rf"reads tasks\.{name}\.score"):
        _ = declared.task.score


def test_what_is_no_parameter_is_an_attribute_error(declare):
    with pytest.raises(AttributeError):
        _ = declare("lora").nope


@pytest.fixture
def root(tmp_path, composed) -> Path:
    (tmp_path / "params.yaml").write_text(composed)
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  fetch:\n"
        "    foreach: ${tasks}\n"
        "    do: {cmd: x, params: [data.source, 'tasks.${key}.kind']}\n"
        "  report: {cmd: x, params: [tasks]}\n"
        "  bare: {cmd: x}\n"
    )
    return tmp_path


def test_for_stage_gives_what_dvc_yaml_lists_for_the_stage(root):
    fetch = params.for_stage("fetch", "price", root)
    assert (fetch.data.source, fetch.task.kind) == ("embedded", "price")
    for read in (lambda: fetch.data.root, lambda: fetch.tasks.samsum, lambda: fetch.lora):
        with pytest.raises(params.UndeclaredParameter):
            read()
    assert set(params.for_stage("report", None, root).tasks) == {"samsum", "price"}
    with pytest.raises(params.UndeclaredParameter):
        _ = params.for_stage("bare", None, root).tasks


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "Qwen/Qwen3-8B",
            "model.revision: is not set for Qwen/Qwen3-8B; `finetune pin model=qwen3-8b` asks the "
            "hub for its current commit and writes it into conf/model/qwen3-8b.yaml",
        ),
        ("a/b", "model.revision: is not set for a/b; give the full SHA of a commit of it"),
    ],
)
def test_no_stage_starts_with_a_hub_model_without_a_commit(root, name, said):
    (root / "conf").symlink_to(ROOT / "conf")
    file = root / "params.yaml"
    local, of_hub = (
        f"name: {n}\n  source: {s}" for n, s in (("models/embedded", "local"), (name, "hub"))
    )
    file.write_text(file.read_text().replace(local, of_hub))
    assert params.read(file).model.source == "hub"  # a config may be yet to be pinned
    for stage, task in (("fetch", "price"), ("report", None)):
        with pytest.raises(ParamsError) as raised:
            params.for_stage(stage, task, root)
        assert str(raised.value) == said


def test_for_stage_refuses_a_task_that_is_not_there(root):
    with pytest.raises(ParamsError, match="no task 'prices'; known: samsum, price"):
        params.for_stage("fetch", "prices", root)


def test_for_stage_validates_sections_that_the_stage_does_not_read(root):
    file = root / "params.yaml"
    file.write_text(file.read_text().replace("  r: 16", "  r: 0"))
    with pytest.raises(ParamsError, match=r"lora\.r: is 0"):
        params.for_stage("fetch", "price", root)


@pytest.mark.parametrize(
    "name",
    [
        "x;id>FILE", "$(id)", "`id`", "a b", "a'b", "/etc", "..", ".", "", "-x", "_x", "9x", "é",
        "a\n", "a/b", "a.b", "x" + chr(0), 7, None, True,
    ],
)  # fmt: skip
def test_a_task_that_could_be_a_path_or_a_command_is_refused(composed, name):
    values = params.read_yaml(composed, "conf")
    values["tasks"] = {name: values["tasks"]["price"]}
    with pytest.raises(
        ParamsError, match=r"^params.yaml: tasks: .* cannot be a task's name: "
    ) as e:
        params.validate(values, "params.yaml")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("name", ["embedded", "smollm2", "Embedded", "SMOLLM2"])
def test_a_task_that_would_overwrite_a_model_is_refused(composed, name):
    values = params.read_yaml(composed, "conf")
    values["tasks"][name] = values["tasks"]["price"]
    with pytest.raises(ParamsError, match="is another folder"):
        params.validate(values, "params.yaml")


def test_tasks_that_are_one_folder_on_some_systems_are_refused(composed):
    values = params.read_yaml(composed, "conf")
    values["tasks"]["Price"] = values["tasks"]["price"]
    with pytest.raises(ParamsError, match="'price' and 'Price' differ in nothing but upper case"):
        params.validate(values, "params.yaml")


@pytest.mark.parametrize("name", ["a", "Price", "my-task_2"])
def test_other_names_pass(composed, name):
    values = params.read_yaml(composed, "conf")
    values["tasks"] = {name: values["tasks"]["price"]}
    assert list(params.validate(values, "params.yaml").tasks) == [name]


@pytest.mark.parametrize("tasks", [["samsum"], [{"samsum": 1}], "samsum", None])
def test_tasks_that_are_no_section_are_refused(composed, tasks):
    values = params.read_yaml(composed, "conf") | {"tasks": tasks}
    with pytest.raises(ParamsError, match=r"^params.yaml: tasks: "):
        params.validate(values, "params.yaml")


def test_a_mistake_in_one_task_is_told_of_that_task_alone(changed):
    values = changed("tasks.price.prompt.max_tokens", 1)
    said = message(values)
    assert said.startswith("params.yaml: tasks.price.prompt.max_tokens: is 1")
    assert "samsum" not in said
    values["tasks"]["price"] = None
    assert message(values) == "params.yaml: tasks.price: is None, must be a section"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.seed", -1),
        ("train.seed", 2**32),
        ("data.seed", -1),
        ("data.embedded.seed", 2**32),
        ("bootstrap.seed", 2**32),
        ("tasks.samsum.eval.seed", -1),
        ("train.epochs", 1e300),
        ("train.max_steps", 10**10),
        ("train.batch_size", 10**10),
        ("bootstrap.resamples", 10**10),
        ("tasks.samsum.eval.shots", 10**10),
        ("tasks.samsum.eval.samples", 10**10),
        ("tasks.samsum.eval.temperature", 1e-300),
        ("tasks.samsum.prompt.max_tokens", 10**10),
        ("lora.alpha", 1e300),
        ("run.hosted.timeout_seconds", 1e300),
        ("run.processes", 10**10),
        ("data.limit.train", 10**10),
    ],
)
def test_a_number_beyond_all_bounds_is_one_line(changed, key, value):
    assert message(changed(key, value)).startswith(f"params.yaml: {key}: is {value!r}, must be ")


def test_a_value_of_megabytes_is_not_shown_whole(changed):
    for value in ("x" * 3_000_000, 10**5000):
        assert len(message(changed("lora.r", value))) < 200
