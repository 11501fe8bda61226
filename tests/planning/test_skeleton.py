import pytest
import torch

from finetune.core.errors import ModelError
from finetune.core.schema import Lora, Method, Model
from finetune.methods import registry
from finetune.methods.lora import attach
from finetune.modeling import footprint
from finetune.modeling.prompts import PromptEncoder
from finetune.planning import skeleton
from finetune.planning.lengths import Lengths, RowLength
from finetune.tasks import registry as tasks
from finetune.tasks.price.options import PriceTrain
from finetune.training import budget
from finetune.training.losses import Branches, Loss, cross_entropy

NF4 = Method(quantization="nf4", double_quantization=True, compute_dtype="auto")
PLAIN = NF4.model_copy(update={"quantization": "none"})
ATTENTION = Lora(
    r=32, alpha=64.0, dropout=0.0, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]
)

# Of whose tokens so many are learned.
FIFTH, THIRD = (Lengths(1, 10, 10, RowLength(10 - n, n), "") for n in (2, 3))


def hub(name: str) -> Model:
    return Model(name=name, source="hub", revision="a" * 40, watch="x")


def local(folder) -> Model:
    return Model(name=str(folder), source="local", revision=None, watch="x")


@pytest.mark.slow
def test_an_8b_model_has_its_known_sizes_without_weights_or_network():
    shapes = skeleton.config(hub("meta-llama/Llama-3.1-8B"))
    found = skeleton.build(shapes, NF4, ATTENTION, torch.bfloat16, FIFTH, checkpointing=False)
    assert found.parameters == 8_030_261_248
    assert found.trainable == 27_262_976
    assert found.adapter == pytest.approx(109e6, rel=0.001)
    assert found.weights == pytest.approx(5.6e9, rel=0.01)
    # Read from the code of transformers and PEFT: about 6.4 MB a token with all layers' adapters.
    assert 4e6 < found.activations.per_token < 6.4e6
    # A learned token keeps at least its logits in 16 bits, and in 32.
    logits = found.step.per_token - found.activations.per_token
    assert logits > 0.2 * 128_256 * 6


def test_unquantized_weights_are_of_the_compute_type(tiny_model):
    shapes = skeleton.config(local(tiny_model))
    narrow, wide = (
        skeleton.build(shapes, PLAIN, ATTENTION, dtype, FIFTH, checkpointing=False)
        for dtype in (torch.bfloat16, torch.float32)
    )
    assert narrow.quantization == 0
    assert (narrow.weights, wide.weights) == (2 * narrow.parameters, 4 * narrow.parameters)
    assert skeleton.parameters(local(tiny_model)) == narrow.parameters


@pytest.mark.parametrize("checkpointing", [False, True])
def test_shapes_tell_what_the_model_itself_takes(load, tiny_model, checkpointing):
    lora = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
    shapes = skeleton.config(local(tiny_model))
    planned = skeleton.build(shapes, NF4, lora, torch.float32, THIRD, checkpointing)
    model = attach(load(tiny_model, "nf4").model, lora)
    real = footprint.measure(model, 0.3, checkpointing, skeleton.WIDTHS)
    assert planned.step.bytes_for(2000) == pytest.approx(real.bytes_for(2000), rel=0.1)
    assert planned.trainable == model.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize("name", ["qlora_int8", "lora", "prefix", "full"])
def test_so_they_do_with_any_method(load, tiny_model, methods, name):
    method = methods[name]
    lora = Lora(r=4, alpha=8.0, dropout=0.0, target_modules="all-linear", init="pissa")
    shapes = skeleton.config(local(tiny_model))
    planned = skeleton.build(shapes, method, lora, torch.float32, THIRD, checkpointing=False)
    model = load(tiny_model, method.quantization).model
    plain = lora.model_copy(update={"init": "kaiming"})
    tuned = registry.of(method).attach(model, plain, method)
    real = footprint.measure(tuned, 0.3, False, skeleton.WIDTHS)
    assert planned.step.bytes_for(2000) == pytest.approx(real.bytes_for(2000), rel=0.1)
    assert planned.trainable == registry.trainable_parameters(tuned)
    assert (planned.adapter == 0) == (name == "full")
    assert (planned.quantization > 0) == (name == "qlora_int8")


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_loss_with_branches_is_planned_as_it_runs(load, digits_model, prompt, checkpointing):
    base = load(digits_model)
    train = PriceTrain.model_construct(number_loss=2.0, number_loss_form="prices")
    loss = tasks.loss("price").loss(PromptEncoder(base.tokenizer, prompt, base.context), train)
    rows = Lengths(1, 139, 139, RowLength(36, 4), "", loss)
    assert (rows.branches, rows.learned_rate) == (99, 103 / 139)
    method = PLAIN.model_copy(update={"compute_dtype": "float32"})
    planned = skeleton.build(
        skeleton.config(local(digits_model)), method, ATTENTION, torch.float32, rows, checkpointing
    )
    model = attach(base.model, ATTENTION)
    passes = budget.branch_passes(model, "cpu", torch.float32, loss, rows.example)
    real = footprint.fitted(model, *passes, checkpointing)
    assert planned.step.bytes_for(2000) == pytest.approx(real.bytes_for(2000), rel=0.1)


def test_branches_are_refused_where_a_method_does_not_take_them(methods, digits_model):
    rows = Lengths(1, 8, 8, RowLength(6, 2), "", Loss(cross_entropy, Branches(((1,),), None)))
    with pytest.raises(ModelError, match="set it to digits or auto"):
        skeleton.build(
            skeleton.config(local(digits_model)), methods["prefix"], ATTENTION, torch.float32, rows,
            checkpointing=False,
        )  # fmt: skip


def test_a_model_of_no_known_shapes_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"model.name: the shapes of who/what are not known here"):
        skeleton.config(hub("who/what"))
