"""Parameters of hosted models: what belongs together, and that no message shows a key."""

from pathlib import Path

import pytest
import yaml

from finetune.composition import compose
from finetune.core import params
from finetune.core.errors import ParamsError

ROOT = Path(__file__).parents[2]
HOSTED = ["model=hosted", "method=hosted"]


def message(*overrides: str, **model: object) -> str:
    values = yaml.safe_load(compose(ROOT, list(overrides)))
    values["model"] |= model
    with pytest.raises(ParamsError) as raised:
        params.validate(values, "params.yaml")
    return str(raised.value)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["method=hosted"], "method.tuner: is hosted, and the model is local: tune a hosted one"),
        ([*HOSTED, "run.processes=2"], "run.processes: and run.engine are of models that are here"),
        ([*HOSTED, "run.engine=transformers"], "run.hosted.concurrency says how many rows"),
        ([*HOSTED, "method.quantization=nf4"], "must be none with the tuner hosted"),
        ([*HOSTED, "+method.hyperparameters.n_epochs=3"], "which is train.epochs: set that one"),
        (["+method.learning_rate_multiplier=2"], "belong to the tuner hosted"),
        (["+method.hyperparameters.lora=true"], "belong to the tuner hosted"),
        ([*HOSTED, "model.source=local"], "a hosted model, and no other, has an api"),
        ([*HOSTED, "model.api=null"], "a hosted model, and no other, has an api"),
        ([*HOSTED, "model.api.base_url=http://api.example.com"], "must begin with https://"),
        ([*HOSTED, "run.max_usd=-1"], "run.max_usd: is -1"),
    ],
)
def test_what_does_not_belong_together_is_one_line(overrides, said):
    found = message(*overrides)
    assert said in found
    assert "\n" not in found


def test_no_message_shows_a_key_that_was_given_in_the_wrong_place():
    values = yaml.safe_load(compose(ROOT, HOSTED))["model"]["api"]
    found = message(*HOSTED, api={**values, "key_variable": "sk-very-secret"})
    assert "model.api.key_variable: must be the name of an environment variable" in found
    assert "secret" not in found
    found = message(*HOSTED, api={**values, "base_url": "https://very:secret@api.example.com/v1"})
    assert "a key belongs into the environment alone" in found
    assert "secret" not in found


def test_what_a_provider_has_of_its_own_passes():
    text = compose(
        ROOT,
        [
            "model=hosted-nebius", "method=hosted", "method.learning_rate_multiplier=0.5",
            "+method.hyperparameters.lora=true", "+method.hyperparameters.lora_r=16",
            "+model.api.request.temperature=null", "run.hosted_prices.training=3",
        ],
    )  # fmt: skip
    read = params.validate_text(text, "conf")
    assert read.method.hyperparameters == {"lora": True, "lora_r": 16}
    assert read.model.api.request == {"temperature": None}
    assert read.run.hosted_prices.training == 3


def test_prices_and_limits_are_no_part_of_what_stages_depend_on():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    listed = [key for stage in stages.values() for key in stage.get("do", stage).get("params", [])]
    assert not [key for key in listed if key.startswith("run")]
