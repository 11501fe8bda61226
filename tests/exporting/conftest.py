"""A repository's folder with a tiny model, an adapter that changes it, and a few rows."""

from pathlib import Path

import pytest
import torch
import yaml

from finetune.core import paths
from finetune.core.files import write_jsonl
from finetune.core.schema import Lora
from finetune.exporting import command
from finetune.exporting.command import Options
from finetune.exporting.source import Source

ROOT = Path(__file__).parents[2]
ROWS = [
    {"id": str(n), "dialogue": f"Anna: Is it {n}?\nTom: Yes, it is.", "summary": f"It is {n}."}
    for n in range(6)
]
TASK = "samsum"


@pytest.fixture
def adapter_of(load, tiny_model):
    """Puts an adapter that changes the model's answers where the stage train does."""
    from finetune.methods import adapters
    from finetune.methods.lora import attach

    def made(**options: object) -> None:
        chosen = {"r": 2, "alpha": 4.0, "dropout": 0.0, "target_modules": "all-linear", **options}
        model = attach(load(tiny_model, "nf4").model, Lora(**chosen))
        generator = torch.Generator().manual_seed(3)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.3, generator=generator)
        adapters.save(model, paths.adapter(TASK))

    return made


@pytest.fixture
def repository(tmp_path, monkeypatch, tiny_model, adapter_of) -> Path:
    """The working directory: params.yaml, rows and an adapter of rank 2 on a 4-bit base."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["model"] |= {"name": str(tiny_model), "source": "local"}
    values["tasks"] = {TASK: values["tasks"][TASK]}
    values["tasks"][TASK]["prompt"]["max_completion_tokens"] = 8
    values["lora"]["r"] = 2
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for split in paths.SPLITS:
        write_jsonl(paths.prepared(TASK) / f"{split}.jsonl", ROWS)
    adapter_of()
    return tmp_path


@pytest.fixture
def changed(repository):
    """Changes a section of params.yaml."""

    def change(section: str, **values: object) -> None:
        params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
        params[section] |= values
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")

    return change


@pytest.fixture
def source(repository):
    """The source of an export, as the command makes it of its options."""

    def made(form: str = "merged", **options: object) -> Source:
        return command.source_of(repository, TASK, Options(form, Path("out"), **options))

    return made
