"""The adapter as vLLM takes it: padded ranks that change nothing, and what it would refuse."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from finetune.core.errors import UserError
from finetune.core.files import read_json, write_json
from finetune.exporting import adapter, command
from finetune.exporting.command import Options
from finetune.methods import adapters


def test_a_padded_adapter_gives_the_same_outputs(source, load, tiny_model):
    Path("out").mkdir()
    adapter.write(source("adapter"), Path("out"))
    before, after = (load_file(f / adapters.WEIGHTS) for f in (Path("models/samsum"), Path("out")))
    assert before.keys() == after.keys()
    assert {min(tensor.shape) for tensor in before.values()} == {2}
    assert {min(tensor.shape) for tensor in after.values()} == {8}
    config = read_json(Path("out") / adapters.CONFIG)
    assert (config["r"], config["lora_alpha"]) == (8, 16)
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        one, other = (
            adapters.load(load(tiny_model).model, folder)(input_ids=ids).logits
            for folder in (Path("models/samsum"), Path("out"))
        )
    assert torch.allclose(one, other, atol=1e-5)


def test_the_scale_stays_what_it_was():
    assert adapter.padded_alpha(32.0, 16, 16, is_rslora=False) == 32
    assert adapter.padded_alpha(6.0, 3, 8, is_rslora=False) == 16
    scaled = adapter.padded_alpha(6.0, 4, 8, is_rslora=True)
    assert scaled / 8**0.5 == pytest.approx(6.0 / 4**0.5)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"use_dora": True}, r"with DoRA \(lora.dora\)"),
        ({"bias": "all"}, r"with trained biases \(lora.bias=all\)"),
        ({"modules_to_save": ["number_head"]}, r"with whole modules \(number_head\)"),
        ({"init_lora_weights": "pissa"}, r"that changes its base \(lora.init=pissa\)"),
        ({"rank_pattern": {"q_proj": 4}}, "with ranks or alphas that differ between modules"),
        ({"r": 1024}, r"of rank 1024 \(at most 512\)"),
        ({"peft_type": "PREFIX_TUNING"}, "of the type PREFIX_TUNING"),
    ],
)
def test_what_vllm_refuses_is_refused_in_one_line(source, config, reason):
    file = Path("models/samsum") / adapters.CONFIG
    write_json(file, read_json(file) | config)
    with pytest.raises(UserError, match=f"vLLM takes no adapter {reason}; take --form merged"):
        adapter.check(source("adapter"))


def test_on_the_base_that_it_was_trained_on_it_answers_as_tuned(repository):
    command.run(repository, "samsum", Options("adapter", Path("out"), into="dequantized"))
    entries = read_json(Path("out/export.json"))["samsum"]["forms"]
    assert entries["adapter_dequantized"]["differing"] == 0
    assert (Path("out") / adapter.BASE / "config.json").is_file()
    assert entries["adapter_dequantized"]["run"]["size_mb"] < 0.2  # without the base
