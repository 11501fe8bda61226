import hashlib

import pytest

from finetune.core.schema import Model
from finetune.reporting import facts
from finetune.reporting.artifacts import TaskArtifacts
from finetune.scoring.metrics import Flag


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


def test_what_was_dropped_is_told_by_reason():
    data = {
        "train": {"rows": 100, "found_repeated_inputs": 9, "dropped_leaks": 3, "set_aside": 2,
                  "kept": 50},
        "test": {"rows": 20, "kept": 20},
    }  # fmt: skip
    assert plain(facts.dropped(data)) == (
        "50 of 120 (41.7 %) rows were left out: leaks 3, set aside 2, beyond data.limit 45."
    )
    kept = {"train": {"rows": 5, "kept": 5}, "test": {"rows": 2, "kept": 2}}
    assert facts.dropped(kept) == "All 7 rows were kept: train 5, test 2."
    assert "No counts" in facts.dropped({})
    drawn = {"all": {"rows": 9}, "train": {"kept": 6}, "validation": {"kept": 1}}
    drawn["test"] = {"kept": 2}
    assert facts.dropped(drawn) == "All 9 rows were kept: train 6, validation 1, test 2."


def test_lengths_are_told_in_tokens():
    train = {"prompt_tokens_mean": 62.25, "prompt_tokens_max": 1024}
    train |= {"completion_tokens_mean": 2.0, "completion_tokens_max": 3}
    said = "prompt 62.2 (at most 1,024), answer 2.0 (at most 3)."
    assert plain(facts.tokens(train)).endswith(said)
    assert facts.tokens({}) == ""
    shown = facts.training({**train, "steps": 4}, None)
    assert "prompt tokens mean" not in dict(shown)


def test_flags_are_counted_for_each_model_and_nothing_else_is():
    metrics = {
        "base": {"mae": 1.5, "n": 200, "empty": 11, "prompt_truncated": 0, "others": 3},
        "tuned": {"n": 200, "hit_length_cap": 1, "empty_rate": 0.5, "gain": {}},
    }
    names = ("prompt_truncated", "hit_length_cap", "empty", "unparsable")
    table = facts.flags(metrics, [Flag(name, "") for name in names])
    assert table.head == ["rows with", "base model", "tuned"]
    assert [[plain(cell) for cell in row] for row in table.rows] == [
        ["prompt truncated", "0", "–"],
        ["hit length cap", "–", "1 of 200 (0.5 %)"],
        ["empty", "11 of 200 (5.5 %)", "–"],
    ]


@pytest.mark.parametrize(
    ("run", "price", "cost"),
    [
        ({"minutes": 30.0}, 3.0, "1.50 USD"),
        ({"minutes": 30.0}, 0.0, "0.00 USD"),
        ({"minutes": 30.0}, None, "unknown: set run.usd_per_hour"),
        ({}, 3.0, "unknown: no time was written"),
        ({"minutes": 30.0, "resumed_at_step": 7}, 2.0, "1.00 USD"),
        ({"minutes": 30.0, "provider": "api.example.com", "usd": 4.5}, 3.0, "4.50 USD"),
        ({"provider": "api.example.com"}, 3.0, "unknown: set run.hosted_prices.training"),
    ],
)
def test_the_cost_is_known_once_the_price_of_an_hour_is(run, price, cost):
    found = dict(facts.training({"steps": 40, "run": run}, price))
    assert plain(found["cost of training"]).startswith(cost)
    assert found["steps"] == "40"
    assert ("resumed at step" in found) == bool(run.get("resumed_at_step"))


def test_what_tasks_share_is_said_in_words():
    found = dict(facts.training({"mix": {"price": 1.0, "tickets": 0.5}, "run": {}}, None))
    assert found["trained on rows of other tasks, too, for one of its own"] == (
        "price 1, tickets 0.5"
    )
    found = dict(facts.training({"adapter_of": "samsum", "run": {}}, 2.0))
    assert found["adapter taken from"] == "samsum"
    assert plain(found["cost of training"]) == "none: that of samsum is where it was trained"


def model(**more: object) -> Model:
    return Model(**{"source": "local", "revision": None, "watch": "x", **more})


def test_a_base_model_goes_by_the_hash_of_its_weights_or_its_revision(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    found = dict(facts.base_model(model(name=str(tmp_path))))
    assert found["model.safetensors sha256"] == hashlib.sha256(b"weights").hexdigest()
    found = dict(facts.base_model(model(name="a/b", source="hub", revision="0" * 40)))
    assert found["revision"] == "0" * 40
    assert "not there" in dict(facts.base_model(model(name="gone")))["sha256"]
    api = {"base_url": "https://api.example.com/v1", "key_variable": "KEY"}
    found = dict(facts.base_model(model(name="small-1", source="hosted", api=api)))
    assert found["asked at"] == "https://api.example.com/v1"


def test_where_rows_came_from_is_told_whole(kind):
    source = {"source": "files", "splits": {"test": {"rows": 1200, "sha256": "ab"}}}
    of = TaskArtifacts(task="towns", kind=kind, source=source, weights_sha256="cd")
    found = dict(facts.source(of))
    assert found["splits test sha256"] == "ab"
    assert found["splits test rows"] == "1,200"
    assert found["trained weights sha256"] == "cd"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"source": "embedded", "seed": 11}, "generated from seed 11: no real data"),
        ({"source": "files", "files": {"test": {"file": "price/t.jsonl"}}}, "from price/t.jsonl"),
        ({"source": "hub", "repo": "who/what", "pinned": True}, "from who/what"),
        ({"source": "hub", "repo": "who/what", "pinned": False}, "from who/what, not pinned"),
        ({"source": "files", "files": {"all": {"file": "goods.csv"}}}, "from goods.csv"),
        ({}, ""),
    ],
)
def test_where_test_rows_came_from(kind, source, said):
    assert facts.origin(TaskArtifacts(task="towns", kind=kind, source=source)) == said
