"""The pipeline of a hosted model, as DVC reads it."""

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

from finetune.composition import compose

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("model", ["hosted", "hosted-nebius"])
def test_dvc_takes_it(model, tmp_path, monkeypatch):
    text = compose(ROOT, [f"model={model}", "method=hosted"])
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    stages = {stage.name: stage for stage in Repo.init(no_scm=True).index.stages}
    # A file below a folder that is watched anyway: DVC takes no path twice.
    watched = [dep.def_path for dep in stages["base@samsum"].deps]
    assert {"src/finetune/hosted", "src/finetune/hosted/client.py"} <= set(watched)
    assert len(watched) == len(set(watched))
