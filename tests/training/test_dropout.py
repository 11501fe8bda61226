import pytest
import torch
from torch import nn

from finetune.core.errors import ModelError
from finetune.core.schema import Lora
from finetune.methods.lora import attach
from finetune.training.dropout import DropoutKeys, RowDropout, use_row_dropout


def dropped(keys, lengths, layer=0, columns=9, p=0.4) -> torch.Tensor:
    dropout_keys = DropoutKeys()
    dropout_keys.by_row, dropout_keys.lengths = keys, lengths
    return RowDropout(p, layer, dropout_keys).train()(torch.ones(len(keys), columns, 50))


def test_a_row_is_dropped_alike_whatever_its_neighbours_and_padding():
    alone = dropped([(1, 4, 7)], [6], columns=6)[0]
    beside = dropped([(1, 4, 3), (1, 4, 7)], [9, 6])[1]
    assert torch.equal(alone, beside[-6:])


@pytest.mark.parametrize("other", [(2, 4, 7), (1, 5, 7), (1, 4, 8)])
def test_another_seed_step_or_row_draws_anew_and_so_does_another_layer(other):
    one = dropped([(1, 4, 7)], [9])
    assert not torch.equal(one, dropped([other], [9]))
    assert not torch.equal(one, dropped([(1, 4, 7)], [9], layer=1))


def test_what_is_kept_is_scaled_so_that_the_mean_stays():
    values = dropped([(0, 0, row) for row in range(40)], [9] * 40)
    kept = values[values > 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / 0.6))
    assert len(kept) / values.numel() == pytest.approx(0.6, abs=0.02)


def test_in_evaluation_nothing_is_dropped():
    layer = RowDropout(0.5, 0, DropoutKeys()).eval()
    assert torch.equal(layer(torch.ones(2, 3, 4)), torch.ones(2, 3, 4))


def test_every_dropout_of_an_adapter_is_replaced(load, tiny_model):
    lora = Lora(r=2, alpha=4.0, dropout=0.1, target_modules="all-linear")
    model = attach(load(tiny_model).model, lora)
    use_row_dropout(model)
    layers = [m for m in model.modules() if isinstance(m, RowDropout)]
    assert len(layers) == 14  # seven linear layers in each of two blocks
    assert len({layer.layer for layer in layers}) == 14
    assert not any(type(module) is nn.Dropout for module in model.modules())


def test_rows_whose_columns_stand_one_after_another_are_dropped_as_in_three_dimensions():
    dropout_keys = DropoutKeys()
    dropout_keys.by_row, dropout_keys.lengths = [(1, 4, 3), (1, 4, 7)], [9, 6]
    layer = RowDropout(0.4, 0, dropout_keys).train()
    flat = layer(torch.ones(2 * 9, 50))
    assert torch.equal(flat.view(2, 9, 50), dropped([(1, 4, 3), (1, 4, 7)], [9, 6]))


@pytest.mark.parametrize("tokens", [7, 17, 8])
def test_a_layer_that_sees_some_tokens_alone_is_refused_in_one_line(tokens):
    dropout_keys = DropoutKeys()
    dropout_keys.by_row, dropout_keys.lengths = [(1, 4, 3), (1, 4, 7)], [9, 6]
    with pytest.raises(ModelError, match=r"^lora\.dropout: .* not all tokens of 2 rows"):
        RowDropout(0.4, 0, dropout_keys).train()(torch.ones(tokens, 50))
