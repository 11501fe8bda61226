"""This side of vLLM, against a stand-in of its package in a virtual environment of its own."""

import sys
import venv
from pathlib import Path

import pytest

from finetune.core.errors import ModelError, ParamsError, UserError
from finetune.core.files import read_json, write_json
from finetune.core.schema import Lora, Method, Model, Run, TextEval
from finetune.inference.budgets import Budgets
from finetune.inference.engines import registry, vllm_engine
from finetune.inference.generate import GenerationContext, greedy
from finetune.methods import adapters, lora, prefix

# What vLLM 0.33 is asked for, with answers that are three tokens after the prompt's last one; an
# odd last token is followed by an end token, which is left out of the ids in every other answer.
FAKE = """
import json, sys
from pathlib import Path
from types import SimpleNamespace

class SamplingParams:
    def __init__(self, **options):
        self.options = options

class LLM:
    def __init__(self, **options):
        self.options = options

    def generate(self, prompts, sampling, lora_request=None):
        seen = {"llm": self.options, "sampling": sampling.options, "prompts": prompts,
                "lora": lora_request and list(lora_request), "path": sys.path}
        Path(__file__).with_name("seen.json").write_text(json.dumps(seen))
        return [self.answer(n, prompt["prompt_token_ids"], sampling) for n, prompt in
                enumerate(prompts)]

    def answer(self, number, ids, sampling):
        new = [ids[-1] + 1, ids[-1] + 2]
        stops = ids[-1] % 2 == 1
        if stops and number % 2 == 0:
            new = [*new, sampling.options["stop_token_ids"][0]]
        reason = "stop" if stops else "length"
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=new, finish_reason=reason)])
"""
LORA_REQUEST = "def LoRARequest(name, number, path):\n    return name, number, path\n"
BUDGETS = Budgets(1000, cache_bytes=2**24)
PROMPTS = [[5, 6, 7], [8, 9, 11], [10, 12]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """The site-packages of a virtual environment with the stand-in; its Python is beside."""
    folder = tmp_path_factory.mktemp("vllm")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "vllm/lora").mkdir(parents=True)
    (site / "vllm/__init__.py").write_text(FAKE)
    (site / "vllm/lora/__init__.py").write_text("")
    (site / "vllm/lora/request.py").write_text(LORA_REQUEST)
    return site


@pytest.fixture
def python(environment) -> str:
    return str(environment.parents[2] / "bin/python")


def how(quantization: str = "none", **rest: object) -> Method:
    return Method(
        tuner="lora", quantization=quantization, double_quantization=False,
        compute_dtype="float32", **rest,
    )  # fmt: skip


def model(folder: Path) -> Model:
    return Model(name=str(folder), source="local", revision=None, watch=str(folder))


def run(**options: object) -> Run:
    rest = dict.fromkeys(("token_budget", "eval_token_budget", "cache_gb"), "auto")
    rest |= {"memory_gb": None, "save_minutes": 1, "push_state": False}
    return Run(**rest, logging_steps=None, usd_per_hour=None, engine="vllm", **options)


def context(base) -> GenerationContext:
    return GenerationContext(base.model, base.tokenizer, BUDGETS, 4, "test")


@pytest.fixture
def tuned(load, tiny_model, methods, tmp_path) -> Path:
    """The folder of an adapter of rank 3."""
    options = Lora(r=3, alpha=8.0, dropout=0.0, target_modules="all-linear")
    attached = lora.attach(load(tiny_model).model, options, methods["lora"])
    adapters.save(attached, tmp_path / "tuned")
    return tmp_path / "tuned"


def test_it_is_given_our_ids_and_the_adapter_and_gives_ids_back(
    load, tiny_model, tuned, environment, python
):
    base = load(tiny_model)
    engine = registry.of(run(vllm_python=python), model(tiny_model), how(), tuned)
    references = [[5, 6], [7], [8, 9, 10]]
    answers = engine.greedy(context(base), PROMPTS, references)
    decode = base.tokenizer.decode
    expected = [decode([ids[-1] + 1, ids[-1] + 2]).strip() for ids in PROMPTS]
    assert [answer.text for answer in answers] == expected
    assert [answer.hit_length_cap for answer in answers] == [False, False, True]
    ours = greedy(context(base), PROMPTS, references)
    assert [a.reference_nll for a in answers] == pytest.approx([a.reference_nll for a in ours])
    seen = read_json(environment / "vllm/seen.json")
    # The longest prompt comes first in a batch.
    assert sorted(prompt["prompt_token_ids"] for prompt in seen["prompts"]) == sorted(PROMPTS)
    assert seen["lora"] == ["tuned", 1, str(tuned)]
    assert seen["llm"] == {
        "model": str(tiny_model), "revision": None, "dtype": "float32", "max_model_len": 7,
        "skip_tokenizer_init": True, "enable_lora": True, "max_lora_rank": 8,
    }  # fmt: skip
    ends = sorted(base.model.generation_config.eos_token_id)
    assert seen["sampling"] == {
        "temperature": 0.0, "max_tokens": 4, "stop_token_ids": ends, "ignore_eos": True,
        "detokenize": False,
    }  # fmt: skip
    source = str(vllm_engine.SCRIPT.parents[3])
    assert not [path for path in seen["path"] if path.startswith(source)]


def test_without_an_adapter_it_is_the_base_or_the_whole_model_that_was_tuned(
    tiny_model, tmp_path, python
):
    base = registry.of(run(vllm_python=python), model(tiny_model), how())
    assert (base.request["model"], base.request["adapter"]) == (str(tiny_model), None)
    hub = Model(name="a/b", source="hub", revision="0" * 40, watch="x")
    assert registry.of(run(vllm_python=python), hub, how()).request["revision"] == "0" * 40
    whole = registry.of(run(vllm_python=python), hub, how(), tmp_path)
    assert (whole.request["model"], whole.request["revision"]) == (str(tmp_path), None)


def test_what_it_cannot_do_is_one_line(load, tiny_model, tuned, python, methods):
    base = load(tiny_model)
    engine = registry.of(run(vllm_python=python), model(tiny_model), how(), tuned)
    options = TextEval(shots=0, seed=5, decode="beam", beams=3, samples=3, temperature=0.7)
    with pytest.raises(ParamsError, match=r"run\.engine: .*asked for eval\.decode=beam; use run"):
        engine.generate(context(base), PROMPTS, None, options)
    with pytest.raises(ParamsError, match="asked for sampled answers"):
        engine.sample(context(base), PROMPTS, 2, 0.7, 5)
    with pytest.raises(ParamsError, match="asked for distributions over prices or labels"):
        engine.distributions(base.model, PROMPTS, None, 0.0, BUDGETS, 0, "test")
    with pytest.raises(ParamsError, match=r"method\.quantization=nf4 as we do"):
        registry.of(run(vllm_python=python), model(tiny_model), how("nf4"), tuned)
    adapters.save(prefix.attach(base.model, None, methods["prefix"]), tuned)
    with pytest.raises(ModelError, match="takes plain LoRA adapters of rank 512 at most"):
        registry.of(run(vllm_python=python), model(tiny_model), how(), tuned)


@pytest.mark.parametrize(
    "config",
    [
        {"r": 600}, {"use_dora": True}, {"peft_type": "IA3"}, {"init_lora_weights": "pissa"},
        {"bias": "all"}, {"modules_to_save": ["number_head"]},
    ],
)  # fmt: skip
def test_adapters_that_it_does_not_take_are_refused(tiny_model, tuned, python, config):
    file = tuned / "adapter_config.json"
    write_json(file, {**read_json(file), **config})
    with pytest.raises(ModelError, match="use another engine"):
        registry.of(run(vllm_python=python), model(tiny_model), how(), tuned)


@pytest.mark.parametrize(("python", "said"), [(None, "is null"), ("/no/python", "is not there")])
def test_a_python_that_is_missing_is_one_line(tiny_model, python, said):
    with pytest.raises(ParamsError, match=rf"run\.vllm_python: .*{said}.*requirements-vllm\.txt"):
        registry.of(run(vllm_python=python), model(tiny_model), how())


def test_a_python_without_vllm_is_one_line(load, tiny_model, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    bare = str(tmp_path / "bare/bin/python")
    engine = registry.of(run(vllm_python=bare), model(tiny_model), how())
    with pytest.raises(UserError) as raised:
        engine.greedy(context(load(tiny_model)), PROMPTS)
    assert str(raised.value) == (
        f"run.vllm_python: {bare} ended with exit code 1: ModuleNotFoundError: No module named "
        "'vllm'"
    )


def test_too_few_answers_are_not_taken(load, tiny_model, monkeypatch):
    engine = registry.of(run(vllm_python=sys.executable), model(tiny_model), how())
    monkeypatch.setattr(vllm_engine, "_run", lambda *_: [{"ids": [5], "stopped": False}])
    with pytest.raises(UserError, match="vLLM gave 1 answers to 3 prompts"):
        engine.greedy(context(load(tiny_model)), PROMPTS)
