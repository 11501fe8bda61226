"""Weights in 4 and 8 bits, as compressed-tensors packs them."""

from pathlib import Path

import pytest
import torch
from torch import nn

from finetune.core.errors import ModelError, UserError
from finetune.core.files import read_json
from finetune.exporting import command, folders, merging, packed
from finetune.exporting.command import Options
from finetune.exporting.source import Shell

REASON = "pip install -r requirements-export.txt"
OUT = Path("out")


def test_without_the_package_it_says_what_to_install(source, monkeypatch):
    given = source("int4")  # first: what it loads is found by `find_spec` too
    monkeypatch.setattr(packed.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="--form int4: needs compressed-tensors: pip install -r"):
        packed.INT4.check(given)


def model(*sizes: int) -> nn.Module:
    layers = {f"layer{n}": nn.Linear(size, 8) for n, size in enumerate(sizes)}
    made = nn.ModuleDict({**layers, "embed_out": nn.Linear(7, 8)})
    made.get_output_embeddings = lambda: made["embed_out"]
    return made


def test_the_output_layer_is_left_out_whatever_its_name():
    assert packed._output_layer(model(64)) == ["embed_out"]
    assert [name for name, _ in packed._layers(model(64))] == ["layer0"]


@pytest.mark.parametrize(("sizes", "group"), [((256, 640), 128), ((64, 128), 64), ((96,), 32)])
def test_groups_divide_the_inputs_of_all_layers_but_the_last(sizes, group):
    assert packed.group_size(model(*sizes)) == group


def test_inputs_that_no_group_divides_are_refused():
    with pytest.raises(ModelError, match="layers with 48, 64 inputs cannot be divided into groups"):
        packed.group_size(model(64, 48))


@pytest.mark.parametrize(("bits", "group"), [(8, None), (4, 64)])
def test_weights_are_those_of_rounding_to_the_nearest(source, bits, group):
    pytest.importorskip(packed.PACKAGE, reason=REASON)
    given = source(f"int{bits}")
    base = merging.merged(given, "dequantized")
    name = "model.layers.0.mlp.up_proj.weight"
    before = base.model.get_parameter(name).detach().clone()
    OUT.mkdir()
    form = {8: packed.INT8, 4: packed.INT4}[bits]
    form.write(given, OUT)
    assert read_json(OUT / folders.CONFIG)["quantization_config"]["format"] == "pack-quantized"
    loaded = form.load(given, OUT, Shell.of(base)).base.model
    after = loaded.get_parameter(name)
    step = before.unflatten(-1, (-1, group or 64)).abs().amax(-1) / (2 ** (bits - 1) - 0.5)
    assert ((after - before).abs() <= step.repeat_interleave(group or 64, 1) * 0.51).all()
    assert len(after.unique()) > 2 ** (bits - 1)
    assert torch.equal(
        loaded.get_input_embeddings().weight, base.model.get_input_embeddings().weight
    )


def test_it_is_scored_and_smaller(repository):
    pytest.importorskip(packed.PACKAGE, reason=REASON)
    command.run(repository, "samsum", Options("int8", OUT))
    entries = read_json(OUT / "export.json")["samsum"]["forms"]
    assert list(entries) == ["tuned", "int8_dequantized"]
    assert "rouge1" in entries["int8_dequantized"]["difference"]
