import math

import numpy as np
import pytest
import torch

from finetune.core.errors import ModelError
from finetune.modeling import number_head
from finetune.modeling.head import head_at

IDS = torch.arange(5, 25).reshape(2, 10)


@pytest.fixture
def model(load, tiny_model):
    model = load(tiny_model).model
    number_head.add(model)
    return model


def outputs(model) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=IDS, use_cache=False).logits


def test_it_answers_in_its_context_alone(model, load, tiny_model):
    text = outputs(model)
    with number_head.answering(model) as has_head:
        assert has_head
        assert outputs(model).shape == (2, 10, 2)
        with number_head.answering(model):  # as a validation does within training
            assert outputs(model).shape == (2, 10, 2)
        assert outputs(model).shape == (2, 10, 2)
    assert torch.equal(outputs(model), text)
    with number_head.answering(load(tiny_model).model) as has_head:
        assert not has_head


def test_it_begins_with_the_median_and_the_spread_of_what_it_is_given(model):
    number_head.start(model, [10.0, 20.0, 90.0])
    with number_head.answering(model):
        location, log_scale = outputs(model)[1, 3].tolist()
    assert math.expm1(location) == pytest.approx(20.0, rel=1e-4)
    spread = np.abs(np.log1p([10.0, 20.0, 90.0]) - np.log1p(20.0)).mean()
    assert math.exp(log_scale) == pytest.approx(spread, rel=1e-4)


def test_equal_numbers_have_a_spread(model):
    number_head.start(model, [5.0, 5.0])
    with number_head.answering(model):
        assert math.exp(outputs(model)[0, 0, 1].item()) == pytest.approx(number_head.LEAST_SCALE)


def test_it_is_asked_at_selected_positions_only(model):
    model.number_head.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    with number_head.answering(model):
        everywhere = outputs(model)
        with head_at(model, torch.tensor([[1, 0], [4, 9]])):
            chosen = outputs(model)
    assert torch.allclose(chosen, everywhere[[1, 0], [4, 9]], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("Gemma2", {"final_logit_softcapping": 30.0}),
        ("Granite", {"logits_scaling": 8.0}),
        ("Cohere", {"logit_scale": 0.0625}),
    ],
)
def test_a_model_that_changes_its_outputs_after_the_last_layer_is_refused(name, changed):
    import transformers

    small = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "vocab_size": 32,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0,
    }  # fmt: skip
    config = getattr(transformers, f"{name}Config")(**small, **changed)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with pytest.raises(ModelError, match=r"method\.tuner: .* changes what its output layer gives"):
        number_head.add(model)


def test_its_scale_has_a_least_value(model):
    with number_head.answering(model):
        model.number_head.offset.data = torch.tensor([1.0, -800.0])
        assert outputs(model)[0, 0, 1].item() == pytest.approx(math.log(number_head.LEAST_SCALE))
