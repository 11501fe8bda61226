"""`finetune seeds`: which runs it queues, and what it refuses."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from finetune.comparing import runs, seeds
from finetune.core.errors import UserError

ERRORS = np.arange(5.0)
CONF = "lora: {r: 16}\ntrain: {seed: 1}\ntasks: {price: {kind: price, train: {seed: 1}}}\n"
CODE = frozenset({("train@price", "src/finetune/training", "abc")})


@pytest.fixture
def queued(monkeypatch, run):
    """The words of each `dvc exp run`; revisions by name, all further seeds as they are given."""
    there = {}
    calls: list[list[str]] = []

    def called(words, **_):
        calls.append(words[words.index("run") + 1 :])
        return subprocess.CompletedProcess(words, 0, "", "")

    def of(name: str, seed: int = 1, r: int = 16, code=CODE, **params):
        values = {"lora.r": r, "train.seed": seed, "tasks.price.train.seed": seed}
        made = run(name, ERRORS + seed)
        kept = {"tasks.price.kind": "price", **values, **params}
        # As read: with the defaults of parameters that were added since.
        text = "\n".join(f"{key}: {json.dumps(value)}" for key, value in kept.items())
        there[name] = replace(made, params=runs.params_of(name, text)[0], code=code)
        return there[name]

    of("HEAD")
    monkeypatch.setattr(seeds.runs, "read", lambda _, name: there[name])
    monkeypatch.setattr(seeds, "compose", lambda *_: CONF)
    monkeypatch.setattr(seeds, "queued", lambda _: set())
    monkeypatch.setattr(seeds.subprocess, "run", called)
    monkeypatch.setattr(
        seeds.configurations,
        "with_further_seeds",
        lambda _, wanted, *__: (
            [*wanted, *(r for n, r in there.items() if n.startswith(f"{wanted[0].name}-"))],
            [],
        ),
    )
    return of, calls


def test_as_many_are_queued_as_are_missing_each_with_a_seed_of_its_own(queued, tmp_path, capsys):
    of, calls = queued
    of("r64", seed=1, r=64)
    of("r64-seed3", seed=3, r=64)
    assert seeds.run(tmp_path, "r64", 4) == 0
    names = [words[words.index("--name") + 1] for words in calls]
    assert names == ["r64-seed2", "r64-seed4"]
    assert calls[0][-4:] == ["--set-param", "lora.r=64", "--set-param", "train.seed=2"]
    assert "dvc queue start" in capsys.readouterr().out


def test_enough_seeds_queue_nothing(queued, tmp_path, capsys):
    of, calls = queued
    of("HEAD-seed2", seed=2)
    assert seeds.run(tmp_path, "HEAD", 2) == 0
    assert calls == []
    assert "there are 2 seeds already: HEAD (train.seed 1)" in capsys.readouterr().out


def test_what_waits_in_the_queue_is_not_queued_again(queued, tmp_path, monkeypatch, capsys):
    _, calls = queued
    monkeypatch.setattr(seeds, "queued", lambda _: {"HEAD-seed2"})
    seeds.run(tmp_path, "HEAD", 3)
    assert [words[words.index("--name") + 1] for words in calls] == ["HEAD-seed3"]
    assert "HEAD-seed2 is in the queue already" in capsys.readouterr().out


def test_a_branch_becomes_a_name_that_git_takes(queued, tmp_path):
    of, calls = queued
    of("fix/it")
    seeds.run(tmp_path, "fix/it", 2)
    assert "fix-it-seed2" in calls[0]


def test_texts_are_quoted_as_hydra_reads_them(queued, tmp_path):
    of, calls = queued
    of("other", **{"lora.r": "it's"})
    seeds.run(tmp_path, "other", 2)
    assert "lora.r='it\\'s'" in calls[0]


def test_other_code_and_other_keys_are_refused(queued, tmp_path):
    of, calls = queued
    of("branch", code=frozenset({("train@price", "src/finetune/training", "xyz")}))
    with pytest.raises(UserError, match=r"branch: was run with other code \(src"):
        seeds.run(tmp_path, "branch", 3)
    of("older", **{"lora.old": 1})
    with pytest.raises(UserError, match=r"older: conf/ has not its .* \(lora\.old\)"):
        seeds.run(tmp_path, "older", 3)
    assert calls == []


def test_what_only_choosing_by_score_watches_is_no_other_code(queued, tmp_path):
    of, calls = queued
    watched = frozenset({("train@price", "src/finetune", "def")})
    score = {"tasks.price.train.selection.watch": "src/finetune"}
    of("by-score", code=CODE | watched, **score)
    assert seeds.run(tmp_path, "by-score", 2) == 0
    assert not any("selection" in word for words in calls for word in words)


def test_one_seed_is_no_number_of_seeds(queued, tmp_path):
    with pytest.raises(UserError, match="--n: is 1, must be 2 or more"):
        seeds.run(tmp_path, "HEAD", 1)


def test_what_dvc_refuses_is_one_line(queued, tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "\nERROR: name is taken\nmore")
    monkeypatch.setattr(seeds.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError, match="HEAD-seed2: ERROR: name is taken"):
        seeds.run(tmp_path, "HEAD", 2)


def test_the_weight_of_another_task_is_added_to_what_conf_has(queued, tmp_path):
    of, calls = queued
    of("mixed", **{"tasks.price.train.mix.samsum": 0.5})
    assert seeds.run(tmp_path, "mixed", 2) == 0
    (words,) = calls
    assert "+tasks.price.train.mix.samsum=0.5" in words


def test_a_task_that_the_run_lacks_is_left_out_of_its_seeds_too(queued, tmp_path, monkeypatch):
    of, calls = queued
    of("alone", r=8)
    of("HEAD", code=CODE | {("train@samsum", "src/finetune/tasks/samsum", "abc")})
    both = CONF.replace("{price:", "{samsum: {kind: summarization, train: {seed: 1}}, price:")
    monkeypatch.setattr(
        seeds, "compose", lambda _, overrides: CONF if "~tasks.samsum" in overrides else both
    )
    assert seeds.run(tmp_path, "alone", 2) == 0
    (words,) = calls
    assert words[3:] == [
        "--set-param", "~tasks.samsum", "--set-param", "lora.r=8", "--set-param", "train.seed=2",
    ]  # fmt: skip
