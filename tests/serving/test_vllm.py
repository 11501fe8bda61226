"""What is written for vLLM: its command, a compose file, and a template that gives our ids."""

import http.server
import importlib
import itertools
import json
import os
import random
import shlex
import subprocess
import sys
import threading

import pytest
import yaml
from transformers import AutoTokenizer

from finetune.core.errors import ModelError, UserError
from finetune.core.files import read_json, write_json
from finetune.core.schema import Model, Prompt
from finetune.modeling.prompts import PromptEncoder
from finetune.serving import vllm
from finetune.tasks import registry

ROWS = 40
# As of other models: a date, thinking, blanks that are trimmed, a newline at the end of the file.
TEMPLATE = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{{- "<sys>Today: " + date_string + "\\n" }}
{%- for message in messages %}
    {{- "<" + message['role'] + ">" + message['content'] | trim + "</>" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<assistant>\\n" }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- "<think>\\n\\n</think>\\n\\n" }}
    {%- endif %}
{%- endif %}
"""


@pytest.fixture
def tokenizer(request, tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


def prompts(settings) -> list[Prompt]:
    return [task.prompt for task in settings.tasks.values()]


def bodies(settings) -> dict[str, list[str]]:
    """Rows of each task, as its generator makes them."""
    found = {}
    for name, task in settings.tasks.items():
        generator = importlib.import_module(f"synthetic.rows.{task.source.embedded}")
        kind = registry.rows(task.kind)
        made = itertools.islice(generator.rows(random.Random(0)), ROWS)
        found[name] = [kind.clean({"id": n, **row}).input for n, row in enumerate(made)]
    return found


@pytest.mark.parametrize("chat_template", ["own", "another", "none", "dated"])
def test_the_ids_that_are_served_are_those_of_predict(settings, tokenizer, chat_template):
    if chat_template != "own":
        always = TEMPLATE.replace("if not date_string is defined", "if true")
        templates = {"another": TEMPLATE, "none": None, "dated": always}
        tokenizer.chat_template = templates[chat_template]
    template = vllm.chat_template(tokenizer, prompts(settings))
    for name, texts in bodies(settings).items():
        encoder = PromptEncoder(tokenizer, settings.tasks[name].prompt, 4096)
        for text in texts:
            assert vllm.served_ids(encoder, template, text) == encoder.encode(text).ids


def test_the_ids_of_a_tokenizer_that_adds_a_start_are_ours_too(settings, digits_model):
    tokenizer = AutoTokenizer.from_pretrained(digits_model)
    template = vllm.chat_template(tokenizer, prompts(settings))
    encoder = PromptEncoder(tokenizer, settings.tasks["samsum"].prompt, 4096)
    vllm.check_ids(encoder, template, [vllm.PROBE, "Anna: Hello"])


def test_instructions_with_quotes_and_braces_stay_what_they_are(tokenizer):
    odd = [
        Prompt(instruction=text, cue=cue, max_tokens=128, max_completion_tokens=8)
        for text, cue in (
            ("Say \"it's\" {{ 1 }} %}\\n.", "A {% b %}:\n"), ("Say", "B"), ("Sag’s 💡", "C: "),
        )
    ]  # fmt: skip
    template = vllm.chat_template(tokenizer, odd)
    for prompt in odd:
        encoder = PromptEncoder(tokenizer, prompt, 4096)
        vllm.check_ids(encoder, template, [vllm.PROBE])


def test_a_message_without_an_instruction_gets_no_cue(settings, tokenizer):
    template = vllm.chat_template(tokenizer, prompts(settings))
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}],
        chat_template=template, tokenize=False, add_generation_prompt=True,
    )  # fmt: skip
    assert rendered.endswith("Hello<|assistant|>")


def test_one_instruction_with_two_cues_is_refused(tokenizer, prompt):
    with pytest.raises(UserError, match="belongs to tasks of two cues"):
        vllm.chat_template(tokenizer, [prompt, prompt.model_copy(update={"cue": "Other: "})])


def test_a_template_that_gives_other_ids_is_refused(settings, tokenizer):
    encoder = PromptEncoder(tokenizer, settings.tasks["samsum"].prompt, 4096)
    with pytest.raises(ModelError, match="does not give this model's prompts"):
        vllm.check_ids(encoder, "{{ messages[0]['content'] }}", ["a"])


@pytest.fixture
def written(settings, adapters, tmp_path, monkeypatch, capsys):
    """What the command writes, and what it prints."""
    for task, folder in adapters.items():
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / task).symlink_to(folder)
    monkeypatch.setattr(vllm.params, "read", lambda _: settings)
    assert vllm.run(tmp_path, [], [], tmp_path / "vllm") == 0
    return tmp_path / "vllm", capsys.readouterr().out


def test_the_command_names_all_adapters_and_a_rank_that_vllm_takes(written, settings, tmp_path):
    folder, printed = written
    command = printed.partition("\n\n")[0]
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["vllm", "serve", settings.model.name]
    assert words[words.index("--lora-modules") + 1 :][:2] == [
        f"{task}={tmp_path}/models/{task}" for task in ("samsum", "price")
    ]
    assert words[words.index("--max-lora-rank") + 1] == "8"  # of 4
    assert words[words.index("--max-model-len") + 1] == "256"
    assert command in (folder / "command.sh").read_text()
    assert subprocess.run(["sh", "-n", folder / "command.sh"], check=False).returncode == 0


def test_the_compose_file_mounts_what_the_command_reads(written):
    folder, _ = written
    (service,) = yaml.safe_load((folder / "compose.yaml").read_text())["services"].values()
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in service["volumes"]}
    words = service["command"]
    read = [words[0], words[words.index("--chat-template") + 1]]
    read += [word.partition("=")[2] for word in words if word.startswith(("samsum=", "price="))]
    assert set(read) == set(mounted)
    assert all((folder / place).exists() for place in mounted.values())
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert "?" in service["environment"]["VLLM_API_KEY"]  # without it Compose refuses to start
    assert service["image"].rpartition(":")[2] == "v0.33.0"


def test_of_a_model_of_the_hub_the_revision_is_pinned(settings):
    hub = Model(name="a/b", source="hub", revision="0" * 40, watch="x")
    places = vllm.Places("a/b", {"samsum": "x"}, "t")
    words = vllm.vllm_arguments(settings.model_copy(update={"model": hub}), places, 16, 512)
    assert "--revision " + "0" * 40 in words


@pytest.mark.parametrize(
    ("change", "what"),
    [({"use_dora": True}, "no DoRA"), ({"r": 600}, "of rank 512"), ({"bias": "all"}, "biases")],
)  # fmt: skip
def test_what_vllm_does_not_take_is_one_line(adapters, tmp_path, change, what):
    config = read_json(adapters["samsum"] / "adapter_config.json")
    write_json(tmp_path / "adapter_config.json", {**config, **change})
    with pytest.raises(UserError, match=what):
        vllm._rank(tmp_path)
    with pytest.raises(UserError, match="holds no adapter"):
        vllm._rank(tmp_path / "nowhere")


class Stub(http.server.BaseHTTPRequestHandler):
    """A vLLM that answers with the ids and texts that it was told."""

    ids: list[list[int]]
    seen: list[tuple[str, str | None]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers.get("Authorization")))
        if self.path == "/tokenize":
            body = {"tokens": self.ids.pop(0)}
        else:
            body = {"choices": [{"message": {"content": "An answer"}}]}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("is_same", [True, False])
def test_the_smoke_test_says_whether_a_server_reads_our_prompts(written, is_same):
    folder, _ = written
    rows = read_json(folder / "smoke.json")
    assert {row["model"] for row in rows} == {"samsum", "price"}
    write_json(folder / "smoke.json", [{**row, "answer": "An answer"} for row in rows])
    Stub.ids = [row["ids"] if is_same else [*row["ids"], 1] for row in rows]
    Stub.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = subprocess.run(
            [sys.executable, "-I", str(folder / "smoke.py"), f"http://127.0.0.1:{server.server_port}"],
            env={**os.environ, "VLLM_API_KEY": "secret"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        server.shutdown()
    assert done.returncode == int(not is_same), done.stderr
    assert f"{len(rows) if is_same else 0} of {len(rows)} prompts have our ids" in done.stdout
    assert f"{len(rows)} of {len(rows)} texts are those of our own" in done.stdout
    assert set(Stub.seen) == {
        ("/tokenize", "Bearer secret"), ("/v1/chat/completions", "Bearer secret"),
    }  # fmt: skip


def test_a_server_that_is_not_there_is_one_line(written):
    folder, _ = written
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "smoke.py"), "http://127.0.0.1:9"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
