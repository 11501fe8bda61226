import json
import tomllib
from pathlib import Path

import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, PreTrainedModel

from finetune.planning import architectures

ROOT = Path(__file__).parents[2]

# As published: what the hub shows for the safetensors. The files of Qwen3 with tied embeddings hold
# the head a second time; for those, what the loaded model counts.
PARAMETERS = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "HuggingFaceTB/SmolLM2-360M-Instruct": 361_821_120,
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": 1_711_376_384,
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-3B-Instruct": 3_085_938_688,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
    "Qwen/Qwen2.5-14B-Instruct": 14_770_033_664,
    "Qwen/Qwen3-0.6B": 596_049_920,
    "Qwen/Qwen3-1.7B": 1_720_574_976,
    "Qwen/Qwen3-4B": 4_022_468_096,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "Qwen/Qwen3-14B": 14_768_307_200,
    "google/gemma-3-270m-it": 268_098_176,
    "google/gemma-3-1b-it": 999_885_952,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.2-3B": 3_212_749_824,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824,
    "microsoft/Phi-4-mini-instruct": 3_836_021_760,
}


def on_meta(name: str) -> PreTrainedModel:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(architectures.config(name))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_model_of_these_shapes_has_the_published_number_of_parameters(name):
    assert on_meta(name).num_parameters() == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "r", "modules", "trainable"),
    [
        ("meta-llama/Llama-3.1-8B", 32, ["q_proj", "k_proj", "v_proj", "o_proj"], 27_262_976),
        ("meta-llama/Llama-3.2-1B-Instruct", 16, ["q_proj", "v_proj"], 1_703_936),
    ],
)
def test_an_adapter_on_it_has_the_known_number_of_parameters(name, r, modules, trainable):
    adapted = get_peft_model(on_meta(name), LoraConfig(r=r, target_modules=modules))
    assert adapted.get_nb_trainable_parameters()[0] == trainable


def test_every_hub_model_of_conf_is_here_under_the_name_of_its_preset():
    folder = Path(architectures.__file__).parent
    shapes = {f.stem: json.loads(f.read_text())["name"] for f in folder.glob("*.json")}
    presets = {f.stem: yaml.safe_load(f.read_text()) for f in (ROOT / "conf/model").glob("*.yaml")}
    assert shapes == {
        n: preset["name"] for n, preset in presets.items() if preset.get("source") == "hub"
    }
    assert set(shapes.values()) == set(PARAMETERS) == set(architectures.names())


def test_a_model_that_is_not_here_has_no_config():
    assert architectures.config("someone/model") is None


def test_a_config_is_the_callers_own():
    first = architectures.config("Qwen/Qwen3-8B")
    first.rope_parameters["rope_theta"] = 1.0
    assert architectures.config("Qwen/Qwen3-8B").rope_parameters["rope_theta"] == 1e6


def test_the_shapes_are_installed_with_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (
        "planning/architectures/*.json"
        in settings["tool"]["setuptools"]["package-data"]["finetune"]
    )
