import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import fake_hub
import pyarrow
import pyarrow.parquet
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from safetensors.torch import load_file, save

from finetune.core import hub
from finetune.core.errors import HubError, ModelError
from finetune.core.files import read_jsonl
from finetune.core.schema import Method, Model
from finetune.modeling import base

ROOT = Path(__file__).parents[2]


@pytest.fixture
def served(monkeypatch):
    """A stand-in for the hub, which this process's clients ask."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    close_session()
    with fake_hub.serving() as serving:
        monkeypatch.setattr(constants, "ENDPOINT", serving.url)
        yield serving
    close_session()


def told(repo: str, repo_type: hub.RepoType = "model") -> str:
    with pytest.raises(HubError) as raised:
        hub.current_commit(repo, repo_type)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(("repo_type", "folder"), [("model", "models"), ("dataset", "datasets")])
def test_the_current_commit_is_the_last_one_of_main(served, repo_type, folder):
    first, last = (served.commit(folder, "who/what", {"README.md": text}) for text in (b"1", b"2"))
    assert hub.current_commit("who/what", repo_type) == last != first


def test_a_repository_that_is_not_there_or_private_is_told_with_its_page(served):
    assert told("who/nobody", "dataset") == (
        "who/nobody: no such dataset on the hub, or it is private or gated; look at "
        f"{served.url}/datasets/who/nobody, and set HF_TOKEN"
    )


def test_a_gated_repository_shows_its_commit_but_not_its_files(served):
    sha = served.commit("models", "who/gated", {"config.json": b"{}"})
    served.gated.add("who/gated")
    assert hub.current_commit("who/gated", "model") == sha
    assert hub.refusal("who/gated", "model") == (
        f"who/gated is gated: accept its terms at {served.url}/who/gated, then set HF_TOKEN"
    )


def test_an_account_that_may_read_a_repository_is_not_refused(served):
    served.commit("models", "who/what", {"config.json": b"{}"})
    assert hub.refusal("who/what", "model") is None


def test_a_token_that_the_hub_refuses_is_named_and_not_shown(served, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    served.refuses_tokens = True
    said = told("who/what")
    assert said.startswith("who/what: the hub refuses HF_TOKEN; ")
    assert "hf_secret" not in said


def test_a_hub_that_cannot_be_reached_is_told_with_its_address(served, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = told("who/what")
    assert said.startswith("who/what: the hub cannot be reached at http://127.0.0.1:9 (")
    assert said.endswith("; look at the network, or at HF_ENDPOINT")


def test_offline_nothing_is_asked(served, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    assert told("who/what").startswith("who/what: HF_HUB_OFFLINE is set, and this would have to")
    assert served.requests == []


def test_what_is_not_the_hubs_fault_is_not_put_on_it():
    error = OSError("no space left")
    error.__cause__ = ValueError("x")
    assert hub.reason(error, "who/what", "model") is None


@pytest.fixture
def load(served, tmp_path, monkeypatch):
    """Loads `who/tiny` at a commit, as the stages do, with a cache of its own."""
    template = f"{served.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def loaded(revision: str) -> torch.Tensor:
        model = Model(name="who/tiny", source="hub", revision=revision, watch="src")
        method = Method(quantization="none", double_quantization=False, compute_dtype="float32")
        return base.load(model, method).model.get_input_embeddings().weight

    return loaded


EMBEDDING = "model.embed_tokens.weight"


def test_a_model_of_the_hub_is_loaded_at_its_commit(served, load, tiny_model, monkeypatch):
    files = fake_hub.folder_files(tiny_model)
    weights = load_file(tiny_model / "model.safetensors")
    other = {**weights, EMBEDDING: weights[EMBEDDING] + 1}
    first = served.commit("models", "who/tiny", files)
    last = served.commit(
        "models", "who/tiny", {**files, "model.safetensors": save(other, {"format": "pt"})}
    )
    assert torch.equal(load(first), weights[EMBEDDING])
    assert torch.equal(load(last), other[EMBEDDING])
    # What is cached is there offline too, each commit for itself.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    asked = len(served.requests)
    assert torch.equal(load(first), weights[EMBEDDING])
    assert len(served.requests) == asked
    with pytest.raises(
        ModelError, match=r"^model\.name: who/tiny: HF_HUB_OFFLINE is set, and this"
    ):
        load("0" * 39 + "a")


def test_a_repository_without_a_model_is_told_by_the_file_that_it_lacks(served, load):
    sha = served.commit("models", "who/tiny", {"README.md": b"# Nothing here"})
    with pytest.raises(ModelError, match=r"who/tiny cannot be loaded: .*config\.json"):
        load(sha)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("gated", "model.name: who/tiny is gated: accept its terms at http://127.0.0.1"),
        ("gone", "model.name: who/tiny: no such model on the hub, or it is private or gated; look"),
        ("commit", "model.name: who/tiny has no such commit on the hub; `finetune pin model=NAME`"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_line(served, load, tiny_model, case, said):
    if case != "gone":
        sha = served.commit("models", "who/tiny", fake_hub.folder_files(tiny_model))
    if case == "gated":
        served.gated.add("who/tiny")
    with pytest.raises(ModelError) as raised:
        load(sha if case == "gated" else "0" * 39 + "a")
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


# What follows runs stages in processes of their own: the clients read their settings when imported.


@pytest.fixture
def repository(tmp_path) -> Path:
    """What a stage needs to start, with data of the hub; nothing of it is pinned."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "dvc.yaml").symlink_to(ROOT / "dvc.yaml")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text.replace("source: embedded\n", "source: hub\n"))
    return folder


def pin(repository: Path, sha: str) -> None:
    file = repository / "params.yaml"
    text = file.read_text(encoding="utf-8")
    before, repo, after = text.partition("repo: knkarthick/samsum\n        revision: ")
    assert repo
    file.write_text(f"{before}{repo}{sha}\n{after.partition(chr(10))[2]}", encoding="utf-8")


def run(repository: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def fetch(repository: Path, task: str = "samsum", **environment: str) -> dict:
    """The origin of what `fetch` got; its error in one line where it failed."""
    done = run(repository, "-m", "finetune.stages.fetch", task, **environment)
    if done.returncode:
        ours = [line for line in done.stderr.splitlines() if line.startswith("finetune: ")]
        assert (done.returncode, len(ours), "Traceback" in done.stderr) == (2, 1, False), (
            done.stderr
        )
        return {"error": ours[0].removeprefix(f"finetune: fetch@{task}: ")}
    return json.loads((repository / f"data/raw/{task}/source.json").read_text(encoding="utf-8"))


def chats(greeting: str) -> fake_hub.Files:
    """CSV files in the layout of the public copy of SAMSum."""
    rows = [f'{n},"Ann: {greeting} {n}\r\nTom: Bye","They {greeting} {n}."\r\n' for n in range(4)]
    names = ("train.csv", "validation.csv", "test.csv")
    csv = {n: f"id,dialogue,summary\r\n{rows[i]}{rows[3]}".encode() for i, n in enumerate(names)}
    return {**csv, "README.md": b"---\nlicense: cc-by-nc-nd-4.0\n---\n"}


def test_data_of_the_hub_is_pinned_when_fetched_and_stays_so(repository, tmp_path):
    with fake_hub.serving() as served:
        environment = served.environment(tmp_path / "cache")
        first = served.commit("datasets", "knkarthick/samsum", chats("greet"))
        origin = fetch(repository, **environment)
        assert (origin["revision"], origin["pinned"]) == (first, False)
        assert {name: split["rows"] for name, split in origin["splits"].items()} == {
            "train": 2, "validation": 2, "test": 2,
        }  # fmt: skip
        lines = (repository / "data/raw/samsum/train.jsonl").read_text().splitlines()
        assert json.loads(lines[0]) == {
            "place": "row 1",
            "id": 0,
            "dialogue": "Ann: greet 0\r\nTom: Bye",
            "summary": "They greet 0.",
        }
        last = served.commit("datasets", "knkarthick/samsum", chats("meet"))
        # Unpinned, the next fetch takes what is new; pinned, what was there.
        assert fetch(repository, **environment)["revision"] == last
        pin(repository, first)
        origin = fetch(repository, **environment)
        assert (origin["revision"], origin["pinned"]) == (first, True)
        assert "greet" in (repository / "data/raw/samsum/train.jsonl").read_text()
        # Offline, the library takes the latest of its cache, whatever was asked for.
        for sha, error in (
            (last, None),
            (first, f"is of another commit than {first}; look at the"),
        ):
            pin(repository, sha)
            said = fetch(repository, **environment, HF_HUB_OFFLINE="1").get("error")
            assert (error in said) if error else (said is None)


def test_the_public_price_data_lose_the_answers_in_their_texts(repository, tmp_path):
    asked = "How much does this cost to the nearest dollar?\n\n{}\n\nPrice is ${}"
    splits = {
        "train": [(asked.format(f"A lamp of {n} arms", f"{n}.00"), float(n)) for n in range(40)],
        "test": [(asked.format(f"A chair of {n} legs", ""), float(n)) for n in range(4)],
    }
    files = {}
    for name, rows in splits.items():
        table = pyarrow.table({"text": [row[0] for row in rows], "price": [row[1] for row in rows]})
        content = io.BytesIO()
        pyarrow.parquet.write_table(table, content)
        files[f"data/{name}-00000-of-00001.parquet"] = content.getvalue()
    with fake_hub.serving() as served:
        served.commit("datasets", "ed-donner/pricer-data", files)
        origin = fetch(repository, "price", **served.environment(tmp_path / "cache"))
    assert origin["splits"]["train"]["rows"] == 40
    done = run(repository, "-m", "finetune.stages.prepare", "price")
    assert done.returncode == 0, done.stderr
    for split in ("train", "validation", "test"):
        for row in read_jsonl(repository / f"data/prepared/price/{split}.jsonl"):
            assert re.fullmatch(r"A (lamp|chair) of \d+ (arms|legs)", row["text"])
            assert row["id"].split("-")[0] in ("train", "test")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("gated", "knkarthick/samsum is gated: accept its terms at "),
        ("gone", "knkarthick/samsum: no such dataset on the hub, or it is private or gated; look"),
        ("commit", "knkarthick/samsum has no such commit on the hub; `finetune pin data=TASK` "),
        ("unreachable", "knkarthick/samsum: the hub cannot be reached at http://127.0.0.1:9 ("),
        ("offline", "knkarthick/samsum: HF_HUB_OFFLINE is set, and this would have to come from "),
    ],
)
def test_data_that_cannot_be_had_is_one_line_and_nothing_is_written(
    repository, tmp_path, case, said
):
    with fake_hub.serving() as served:
        environment = served.environment(tmp_path / "cache")
        if case != "gone":
            served.commit("datasets", "knkarthick/samsum", chats("greet"))
        match case:
            case "gated":
                served.gated.add("knkarthick/samsum")
            case "commit":
                pin(repository, "0" * 39 + "a")
            case "unreachable":
                environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
            case "offline":
                environment["HF_HUB_OFFLINE"] = "1"
        assert fetch(repository, **environment)["error"].startswith(said)
    assert not (repository / "data").exists()
