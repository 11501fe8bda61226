"""The stages `base` and `evaluate` with a tiny model."""

import copy
from pathlib import Path

import pytest
import yaml

from finetune.core import params, paths
from finetune.core.files import read_json, write_jsonl
from finetune.core.params import Declared
from finetune.core.schema import Lora
from finetune.modeling import adapters
from finetune.stages import base, evaluate

ROOT = Path(__file__).parents[2]
KEYS = ["tasks.samsum", "model", "method", "bootstrap"]
DIALOGUES = [
    {"id": str(n), "dialogue": f"Anna: Is it {n}?\nTom: Yes, it is.", "summary": f"It is {n}."}
    for n in range(6)
]


@pytest.fixture
def declared(tmp_path, monkeypatch, tiny_model):
    """Gives the parameters of a stage over a few dialogues, in an empty folder to work in."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["model"] |= {"name": str(tiny_model), "source": "local"}
    values["method"] |= {"quantization": "none", "compute_dtype": "float32"}
    values["bootstrap"]["resamples"] = 100
    values["tasks"]["samsum"]["prompt"]["max_completion_tokens"] = 8
    monkeypatch.chdir(tmp_path)
    for split in ("train", "test"):
        write_jsonl(paths.prepared("samsum") / f"{split}.jsonl", DIALOGUES)

    def made(**run: object) -> Declared:
        changed = copy.deepcopy(values)
        changed["run"] |= run
        return Declared(params.validate(changed, "test"), "base", KEYS, "samsum")

    return made


def test_budgets_are_written_beside_the_scores_and_change_no_score(declared, load, tiny_model):
    found = []
    for budget in (64, 4096):
        base.run(declared(eval_token_budget=budget, cache_gb=0.25), "samsum")
        metrics = read_json(paths.metrics("samsum", "base"))["samsum"]
        for scores in metrics.values():
            assert scores.pop("run") == {"prompt_tokens": budget, "cache_gb": 0.25}
            assert "batch_size" not in scores["protocol"]
            # Sums of rounded values: equal up to rounding.
            assert scores.pop("predictions_hash")
            del scores["perplexity"], scores["interval"]
        found.append(metrics)
    assert found[0] == found[1]

    adapter = adapters.attach(
        load(tiny_model).model, Lora(r=2, alpha=4.0, dropout=0.0, target_modules="all-linear")
    )
    adapters.save(adapter, paths.adapter("samsum"))
    evaluate.run(declared(eval_token_budget=128, cache_gb=0.5), "samsum")
    tuned = read_json(paths.metrics("samsum", "tuned"))["samsum"]
    assert tuned["run"] == {"prompt_tokens": 128, "cache_gb": 0.5}
    assert "run" not in tuned["gain"]
    assert tuned["rouge1"] == found[0]["base"]["rouge1"]  # the adapter is new, and adds nothing
