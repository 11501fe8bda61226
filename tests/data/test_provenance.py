"""Files that are not the ones that they should be: one line, and nothing is kept of them."""

import hashlib
import json
import shutil
from pathlib import Path

import fake_hub
import pytest
from omegaconf import OmegaConf

from finetune.core import params
from finetune.core.errors import DataError, ParamsError
from finetune.data import provenance
from finetune.stages import fetch

ROOT = Path(__file__).parents[2]
REPO = "someone/chats"
RIGHT = b"id,dialogue,summary\r\n1,Ann: Hi.,Ann greets.\r\n2,Tom: Bye.,Tom leaves.\r\n"
WRONG = RIGHT.replace(b"Ann greets", b"Tom greets")
CSV = {"train.csv": RIGHT, "validation.csv": RIGHT, "test.csv": RIGHT}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A repository to fetch in."""
    repository = tmp_path / "repository"
    repository.mkdir()
    shutil.copy(ROOT / "dvc.yaml", repository)
    monkeypatch.chdir(repository)
    return repository


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in for the hub, which this process's clients ask, with a cache of its own."""
    import datasets
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    close_session()
    with fake_hub.serving() as served:
        template = f"{served.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", served.url)

        def fresh_cache(name: str) -> None:
            monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / name / "hub"))
            monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / name / "data")

        served.fresh_cache = fresh_cache
        fresh_cache("first")
        yield served
    close_session()


def configure(**data: object) -> None:
    everything = OmegaConf.load(ROOT / "params.yaml")
    spec = everything.tasks.samsum.source
    everything.data.update({key: data[key] for key in ("source", "root") if key in data})
    fields = {"id": "id", "dialogue": "dialogue", "summary": "summary"}
    splits = {"train": "train", "validation": "validation", "test": "test"}
    if "revision" in data:
        spec.hub = {
            "repo": REPO, "revision": data["revision"], "splits": splits, "fields": fields,
            "sha256": data.get("sha256", {}),
        }  # fmt: skip
    else:
        files = {name: f"{name}.csv" for name in splits}
        spec.files.update({"splits": files, "fields": fields, "sha256": data.get("sha256", {})})
    Path("params.yaml").write_text(OmegaConf.to_yaml(everything), encoding="utf-8")


def fetched() -> dict:
    fetch.run(params.for_stage("fetch", "samsum"), "samsum")
    return json.loads(Path("data/raw/samsum/source.json").read_text())


def refused() -> str:
    """What fetch says; nothing of what was there is touched."""
    before = {f: f.read_bytes() for f in Path("data").rglob("*") if f.is_file()}
    with pytest.raises(DataError) as raised:
        fetched()
    assert "\n" not in str(raised.value)
    after = {f: f.read_bytes() for f in Path("data").rglob("*") if f.is_file()}
    assert after == before
    return str(raised.value)


def test_a_file_that_is_not_the_pinned_one_is_refused(folder, tmp_path):
    source = tmp_path / "source/samsum"
    source.mkdir(parents=True)
    for name, content in CSV.items():
        (source / name).write_bytes(content)
    pins = {name: sha(content) for name, content in CSV.items()}
    configure(source="files", root=str(tmp_path / "source"), sha256=pins)
    origin = fetched()
    assert origin["files"]["train"] == {"file": "samsum/train.csv", "sha256": sha(RIGHT)}
    assert origin["licence"]
    assert {name: split["rows"] for name, split in origin["splits"].items()} == {
        "train": 2, "validation": 2, "test": 2,
    }  # fmt: skip
    (source / "train.csv").write_bytes(WRONG)
    said = refused()
    assert said.startswith(f"{source}/train.csv: its sha256 is {sha(WRONG)}, and the task's config")
    (source / "train.csv").write_bytes(RIGHT[:-20])  # a short download
    assert "it is another file, or not all of it" in refused()


def test_a_pin_of_no_file_is_a_mistake_in_the_config(folder, tmp_path):
    configure(source="files", root=str(tmp_path), sha256={"trian.csv": sha(b"")})
    with pytest.raises(ParamsError, match=r"sha256: 'trian.csv' is none of the files: test.csv"):
        params.for_stage("fetch", "samsum")
    configure(source="files", root=str(tmp_path), sha256={"train.csv": "abc"})
    with pytest.raises(ParamsError, match=r"sha256\.train\.csv: is 'abc', must match pattern"):
        params.for_stage("fetch", "samsum")


def test_a_file_that_grows_while_it_is_read_is_told(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("1\n")
    rows = provenance.unchanged(file, iter(["row"]), provenance.state(file))
    assert next(rows) == "row"
    file.write_text("1\n2\n")
    with pytest.raises(DataError, match=r"a\.jsonl: was written to while it was read; when that"):
        next(rows)


def test_files_of_the_hub_are_recorded_and_stay_what_they_were(folder, hub):
    commit = hub.commit("datasets", REPO, dict(CSV))
    configure(source="hub", revision=commit)
    origin = fetched()
    assert (origin["repo"], origin["revision"], origin["pinned"]) == (REPO, commit, True)
    assert origin["downloads"]["train.csv"] == {"bytes": len(RIGHT), "sha256": sha(RIGHT)}
    assert list(origin["downloads"]) == sorted(CSV)

    configure(source="hub", revision=commit, sha256={"train.csv": sha(RIGHT)})
    assert fetched() == origin
    configure(source="hub", revision=commit, sha256={"train.csv": sha(WRONG)})
    assert refused().startswith(f"{REPO}: train.csv (at {commit}): its sha256 is {sha(RIGHT)}, and")
    configure(source="hub", revision=commit, sha256={"more.csv": sha(RIGHT)})
    assert "sha256 pins 'more.csv', which the splits are not made of; they are made of " in (
        refused()
    )

    # On another machine, so with an empty cache, the same commit has other files.
    hub.fresh_cache("second")
    hub.repositories[("datasets", REPO)][0][1]["train.csv"] = WRONG
    configure(source="hub", revision=commit)
    assert refused().startswith(
        f"{REPO}: train.csv (at {commit}) is not what it was when it was fetched before: its sha256"
    )


def test_a_download_that_breaks_off_is_one_line(folder, hub, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.breaks_off = True
    configure(source="hub", revision=hub.commit("datasets", REPO, dict(CSV)))
    assert refused().startswith(f"{REPO}: ")


def test_half_a_record_of_an_earlier_fetch_is_no_reason_to_stop(tmp_path):
    (tmp_path / "source.json").write_text('{"repo": ')
    assert provenance.earlier(tmp_path / "source.json") == {}
    assert provenance.earlier(tmp_path / "none.json") == {}
