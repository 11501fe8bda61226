"""A repository's folder that holds a trained adapter, its metrics and a few rows of its data."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from finetune.core import paths
from finetune.core.files import read_json, short_hash, write_json, write_jsonl
from finetune.exporting import folders
from finetune.publishing import release

ROOT = Path(__file__).parents[2]
TASK = "samsum"
WORDS = "The quokka of Jarmila ate all of the marzipan in the zeppelin"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """The working directory; the metrics are those of the repository, for another adapter."""
    monkeypatch.chdir(tmp_path)
    # Whether the run was a whole one is tested where that is found out.
    monkeypatch.setattr(release.runs, "check", lambda _: None)
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["model"] |= {"name": "owner/base", "source": "hub", "revision": COMMIT}
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    shutil.copytree(ROOT / "metrics" / TASK, Path("metrics") / TASK)
    folder = paths.adapter(TASK)
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": "/home/me/base", "r": 8})
    write_jsonl(paths.predictions(TASK, "tuned"), [{"id": "1", "prediction": "It is."}])
    for split in paths.SPLITS:
        rows = [{"id": "1", "dialogue": f"{WORDS}, said Tom.", "summary": "Marzipan is gone."}]
        write_jsonl(paths.prepared(TASK) / f"{split}.jsonl", rows)
    write_json(
        paths.raw(TASK) / "source.json",
        {"source": "embedded", "licence": "MIT", "splits": {"test": {"rows": 1, "sha256": "ab"}}},
    )
    edit("train", TASK, "train", adapter_hash=short_hash(folder / "adapter_model.safetensors"))
    edit("tuned", TASK, predictions_hash=short_hash(paths.predictions(TASK, "tuned")))
    return tmp_path


def edit(name: str, *keys: str, **values: object) -> None:
    """Change values in a metric file."""
    file = paths.metrics(TASK, name)
    content = read_json(file)
    inner = content
    for key in keys:
        inner = inner[key]
    inner |= values
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def edited():
    """Changes values in a metric file."""
    return edit


@pytest.fixture
def exported(workspace):
    """Writes an export of the adapter: its weights, and the record of scores that it has."""

    def made(form: str = "int8_dequantized", n: int = 200, **more: object) -> Path:
        out = Path("out")
        out.mkdir()
        (out / "model.safetensors").write_bytes(b"weights")
        train = read_json(paths.metrics(TASK, "train"))[TASK]["train"]
        interval = {"rouge1": {"low": 1.0, "high": 2.0}}
        entry = {
            "n": n, "interval": interval, "differing": 3,
            "difference": {"rouge1": {"mean": -0.5, "low": -1.0, "high": 0.0, "n": n}},
            "adapter_hash": train["adapter_hash"],
            "run": {"size_mb": 8.0, "load_seconds": 0.1, "tokens_per_second": 10.0},
        }  # fmt: skip
        entries = {
            "tuned": {"rouge1": 50.0, **entry},
            form: {"rouge1": 49.5, **entry, "weights_hash": folders.weights_hash(out), **more},
        }
        write_json(out / "export.json", {TASK: {"forms": entries}})
        return out

    return made


@pytest.fixture
def published(workspace):
    """What is published, as the command makes it of its options."""

    def made(
        export: Path | None = None, base_model: str | None = None, has_right: bool = False
    ) -> release.Release:
        return release.of(workspace, TASK, export, base_model, has_right)

    return made
