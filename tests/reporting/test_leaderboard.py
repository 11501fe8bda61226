from dataclasses import replace

import pytest

from finetune.core.schema import Bootstrap
from finetune.reporting import leaderboard
from finetune.reporting.artifacts import TaskArtifacts
from finetune.scoring.metrics import Metric

OPTIONS = Bootstrap(resamples=100, confidence=0.95, seed=1)
HIGHER = Metric(key="error", columns=(), title="")
LOWER = Metric(key="error", columns=(), title="", higher_is_better=False)


def scores(error: float, validation: float | None = None, n: int = 4, **protocol: bool) -> dict:
    ends = {"error": {"low": error - 1, "high": error + 1}}
    chosen_by = {} if validation is None else {"validation": {"error": validation, "n": 3}}
    return {"error": error, "n": n, "interval": ends, "protocol": protocol, **chosen_by}


def rows(*errors: float) -> list[dict]:
    return [{"id": i, "absolute_error": error} for i, error in enumerate(errors)]


@pytest.fixture
def artifacts(kind) -> TaskArtifacts:
    return TaskArtifacts(
        task="towns",
        kind=kind,
        metrics={
            "baselines": {
                "ridge": scores(30, 25), "svr": scores(20, 35), "human": scores(10, n=2),
                "oracle": scores(1, 1, oracle=True),
            },
            "base": scores(90),
            "few_shot": {},
            "tuned": scores(25),
        },
        predictions={"tuned": rows(24, 26, 25, 25), "base": rows(90, 91, 89, 90)},
        baselines={"human": rows(9, 11), "svr": rows(20, 20, 20, 20)},
    )  # fmt: skip


def test_baselines_come_first_and_what_was_not_run_is_left_out(artifacts):
    entries = leaderboard.entries(artifacts)
    assert [(entry.key, entry.role) for entry in entries] == [
        ("ridge", "baseline"), ("svr", "baseline"), ("human", "baseline"), ("oracle", "oracle"),
        ("base", "base"), ("tuned", "tuned"),
    ]  # fmt: skip
    assert [entry.key for entry in entries if entry.is_partial] == ["human"]
    assert entries[0].low == 29
    assert entries[-2].name == "base model"


def test_the_best_baseline_is_the_best_on_validation_and_neither_an_oracle_nor_a_person(artifacts):
    entries = leaderboard.entries(artifacts)
    # On test it is the other way around.
    assert leaderboard.best_baseline(entries, LOWER).key == "ridge"
    assert leaderboard.best_baseline(entries, HIGHER).key == "svr"
    assert leaderboard.best_baseline(entries[2:], LOWER) is None
    # Not even where they answered every row.
    artifacts.metrics["baselines"]["human"]["n"] = 4
    everywhere = leaderboard.entries(artifacts)
    assert not everywhere[2].is_partial
    assert leaderboard.best_baseline(everywhere, LOWER).key == "ridge"


def test_ranked_is_best_first(artifacts):
    ranked = leaderboard.ranked(leaderboard.entries(artifacts), LOWER)
    assert [entry.key for entry in ranked][:3] == ["oracle", "human", "svr"]


def test_a_lead_is_positive_where_the_tuned_model_is_better(artifacts):
    entries = {entry.key: entry for entry in leaderboard.entries(artifacts)}
    assert leaderboard.lead(artifacts, entries["base"], OPTIONS).mean == 65
    behind = leaderboard.lead(artifacts, entries["svr"], OPTIONS)
    assert behind.mean == -5
    assert behind.low <= behind.mean <= behind.high < 0
    assert behind.reversed().mean == 5


def test_a_lead_is_over_the_rows_of_both(artifacts):
    human = leaderboard.by_role(leaderboard.entries(artifacts)[2:], "baseline")
    assert leaderboard.lead(artifacts, human, OPTIONS).mean == -15  # (24 + 26 - 9 - 11) / 2


def test_without_its_rows_there_is_no_lead(artifacts):
    ridge = leaderboard.by_role(leaderboard.entries(artifacts), "baseline")
    assert leaderboard.lead(artifacts, ridge, OPTIONS) is None


def test_nothing_scored_is_nobody(kind):
    assert leaderboard.entries(TaskArtifacts(task="towns", kind=kind)) == []


def test_of_fewer_rows_than_the_metric_takes_there_is_no_lead(artifacts):
    metric, *others = artifacts.kind.metrics
    kind = replace(artifacts.kind, metrics=(replace(metric, min_rows=5), *others))
    few = replace(artifacts, kind=kind)
    base = leaderboard.by_role(leaderboard.entries(few), "base")
    assert leaderboard.lead(few, base, OPTIONS) is None
