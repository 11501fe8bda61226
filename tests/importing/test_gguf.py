import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from safetensors.torch import load_file
from tiny_gguf import HEAD_DIM, SPECIAL, llama, logits, write
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from finetune import cli
from finetune.core.errors import EXIT_CODE, UserError
from finetune.core.files import sha256
from finetune.importing import gguf, origin, weights


def imported(file: Path) -> LlamaForCausalLM:
    """The model of the folder that the import writes, in float32."""
    folder = file.with_name("imported")
    gguf.convert(file, folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def rope(**options: object) -> dict[str, object]:
    return {"rope_parameters": {"rope_theta": 5000.0, **options}}


LINEAR = rope(rope_type="linear", factor=4.0)
LLAMA3 = rope(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=8192,
)


def llama3_factors(factor: float = 8.0) -> np.ndarray:
    """What llama.cpp's converter writes of Llama 3's scaling, [HEAD_DIM / 2]."""
    factors = []
    for index in range(0, HEAD_DIM, 2):
        wavelength = 2 * math.pi * 5000.0 ** (index / HEAD_DIM)
        if wavelength < 8192 / 4:
            factors.append(1.0)
        elif wavelength > 8192 / 1:
            factors.append(factor)
        else:
            smooth = (8192 / wavelength - 1) / (4 - 1)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"tied": True}, {}),
        ({"tied": False}, {}),
        ({"attention_bias": True, "mlp_bias": True}, {}),
        (LINEAR, {"llama__rope__scaling__type": "linear", "llama__rope__scaling__factor": 4.0}),
        (LLAMA3, {"extra": {"rope_freqs.weight": llama3_factors()}}),
    ],
    ids=["tied", "untied", "biases", "linear", "llama3"],
)
def test_logits_are_those_of_the_model_in_the_file(tmp_path, options, change):
    model = llama(**options)
    result = imported(write(tmp_path / "tiny.gguf", model, **change))
    assert result.config.tie_word_embeddings == model.config.tie_word_embeddings
    torch.testing.assert_close(logits(result), logits(model), rtol=0, atol=1e-5)


def test_a_quantized_file_gives_weights_and_logits_close_to_the_model_s(tmp_path):
    model = llama()
    result = imported(write(tmp_path / "tiny.gguf", model, Kind.Q8_0))
    for name, values in model.state_dict().items():
        blocks = values.reshape(-1, 32)
        step = blocks.abs().amax(dim=1, keepdim=True) / 127
        error = (result.state_dict()[name].reshape(-1, 32) - blocks).abs()
        assert (error <= 0.51 * step + 1e-3 * blocks.abs()).all(), name
    assert 0 < (logits(result) - logits(model)).norm() / logits(model).norm() < 0.1


@pytest.mark.parametrize("kind", [Kind.F16, Kind.Q8_0, Kind.Q4_1])
def test_weights_are_those_that_transformers_reads_from_the_same_file(tmp_path, kind):
    file = write(tmp_path / "tiny.gguf", llama(tied=False), kind)
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=file.name, dtype=torch.float16
    ).state_dict()
    ours = imported(file).state_dict()
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert torch.equal(ours[name], values.float()), name


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(Kind.F16, "float16"), (Kind.BF16, "bfloat16"), (Kind.Q8_0, "float16"), (Kind.F32, "float16")],
)
def test_weights_are_stored_in_the_16_bits_that_lose_least(tmp_path, kind, dtype):
    folder = tmp_path / "imported"
    model = llama().bfloat16().float()
    gguf.convert(write(tmp_path / "tiny.gguf", model, kind), folder)
    stored = load_file(folder / "model.safetensors")
    assert {str(tensor.dtype) for tensor in stored.values()} == {f"torch.{dtype}"}
    assert json.loads((folder / "config.json").read_text())["dtype"] == dtype
    if kind != Kind.Q8_0:  # these types hold bfloat16's values exactly
        name = "model.layers.0.self_attn.k_proj.weight"
        assert torch.equal(stored[name].float(), model.state_dict()[name])


def test_large_models_are_written_in_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SHARD", "100KB")
    model = llama()
    result = imported(write(tmp_path / "tiny.gguf", model))
    assert len(list((tmp_path / "imported").glob("model-*.safetensors"))) > 1
    torch.testing.assert_close(logits(result), logits(model), rtol=0, atol=1e-5)


def test_the_folder_says_where_it_comes_from_and_ends_generation(tmp_path):
    folder = tmp_path / "imported"
    file = write(tmp_path / "tiny.gguf", tokenizer__ggml__eot_token_id=3)
    gguf.convert(file, folder)
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n---\n# Tiny\n")
    assert f"| source | tiny.gguf |\n| sha256 | {sha256(file)} |" in card
    assert origin.is_complete(folder, sha256(file))
    ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    assert ends == [2, 3]
    assert AutoTokenizer.from_pretrained(folder).eos_token == SPECIAL[2]


def test_an_import_of_which_a_file_has_changed_is_not_complete(tmp_path):
    folder = tmp_path / "imported"
    file = write(tmp_path / "tiny.gguf")
    gguf.convert(file, folder)
    assert not origin.is_complete(folder, "0" * 64)
    (folder / "config.json").write_text("{}")
    assert not origin.is_complete(folder, sha256(file))
    (folder / "config.json").unlink()
    assert not origin.is_complete(folder, sha256(file))
    (folder / origin.NAME).write_text("{")
    assert not origin.is_complete(folder, sha256(file))


NORM = np.ones(96, dtype=np.float32)
MATRIX = np.ones((96, 96), dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architecture": "qwen2"}, "its architecture is qwen2; only llama can be imported"),
        ({"llama__expert_count": 8}, "llama.expert_count is 8, which the import cannot convert"),
        ({"llama__block_count": None}, "the metadata lack llama.block_count"),
        ({"tokenizer__ggml__eos_token_id": None}, "lack tokenizer.ggml.eos_token_id"),
        ({"llama__block_count": 3}, "lacks the tensor blk.2.attn_k.weight"),
        ({"llama__block_count": 1}, "holds a tensor that no Llama has: blk.1.attn_k.weight"),
        ({"llama__feed_forward_length": 32}, "is of shape (64, 96), must be (32, 96)"),
        ({"llama__rope__dimension_count": 8}, "rope.dimension_count differs from the size of"),
        ({"llama__rope__scaling__type": "yarn"}, "scaled by 'yarn'; only linear and llama3"),
        ({"split__count": 2}, "is one of 2 parts; join them first"),
        ({"extra": {"rope_freqs.weight": llama3_factors() * 1.5}}, "not those of Llama 3's"),
        ({"extra": {"output_norm.weight": None}}, "lacks the tensor output_norm.weight"),
        ({"extra": {"blk.0.attn_rot.weight": NORM}}, "no Llama has: blk.0.attn_rot.weight"),
        ({"extra": {"blk.0.attn_q.weight": MATRIX * 1e6}, "kind": Kind.F32}, "not finite in 16"),
        ({"extra": {"output_norm.weight": NORM * np.nan}}, "output_norm.weight holds values that"),
    ],
)
def test_what_cannot_be_converted_is_told_in_one_line_and_nothing_is_written(
    tmp_path, change, said
):
    file = write(tmp_path / "tiny.gguf", **change)
    with pytest.raises(UserError) as raised:
        gguf.convert(file, tmp_path / "imported")
    assert str(raised.value).startswith(f"{file}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("size", [0, 3, 4, 6, 20, 24, 100, 3_000, 7_000, 20_000, -1_000])
def test_a_truncated_file_is_told_in_one_line(tmp_path, size):
    file = write(tmp_path / "tiny.gguf")
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(UserError, match=r"truncated or damaged|no GGUF file") as raised:
        gguf.convert(file, tmp_path / "imported")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == [file]


def test_an_import_that_fails_leaves_the_earlier_one(tmp_path):
    folder = tmp_path / "imported"
    file = write(tmp_path / "tiny.gguf")
    gguf.convert(file, folder)
    before = sha256(file)
    with pytest.raises(UserError):
        gguf.convert(
            write(tmp_path / "other.gguf", extra={"output_norm.weight": NORM * np.nan}), folder
        )
    assert origin.is_complete(folder, before)
    gguf.convert(write(tmp_path / "other.gguf", llama(tied=False)), folder)
    assert origin.is_complete(folder, sha256(tmp_path / "other.gguf"))


def test_a_folder_that_holds_anything_else_stays_as_it_is(tmp_path):
    file = write(tmp_path / "tiny.gguf")
    folder = tmp_path / "imported"
    gguf.convert(file, folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"imported: holds notes\.txt, which no import wrote"):
        gguf.convert(file, folder)
    assert (folder / "notes.txt").read_text() == "mine"
    gguf.convert(file, folder, keep=["notes.txt"])
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(UserError, match="is a file; name a folder"):
        gguf.convert(file, file)


def test_the_command_imports_and_names_what_comes_next(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "imported"
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setattr(sys, "argv", ["finetune", "import-gguf", "nowhere.gguf", str(folder)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == EXIT_CODE
    assert capsys.readouterr().err == "finetune: nowhere.gguf: no such file\n"
    sys.argv[2] = str(write(tmp_path / "tiny.gguf"))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert f"dvc exp run -S model=local -S model.name={folder}" in capsys.readouterr().out
    assert (folder / "model.safetensors").is_file()
