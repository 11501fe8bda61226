"""`kill -9`, and the same command again: four of the kills of bench/kills.py."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
FILE = Path(__file__).parent.parent / "bench/kills.py"
spec = importlib.util.spec_from_file_location("kills", FILE)
kills = importlib.util.module_from_spec(spec)
sys.modules["kills"] = kills  # dataclasses look their module up
spec.loader.exec_module(kills)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return kills.Repository(tmp_path_factory.mktemp("kills") / "clone", ("train", "base"))


@pytest.mark.parametrize(
    "kill",
    [
        kills.Kill("train", "repro", "both", at=3, in_save=True, delay=0),
        kills.Kill("train", "exp run", "both", at=5, in_save=False, delay=0.2),
        pytest.param(
            kills.Kill("train", "queue", "both", at=2, in_save=True, delay=0),
            marks=pytest.mark.long,  # a minute
        ),
        kills.Kill("base", "repro", "stage", at=4, in_save=False, delay=0.1),
    ],
    ids=lambda kill: f"{kill.stage} {kill.through}",
)
def test_a_killed_run_gives_what_the_whole_run_gave(repository, kill):
    outcome = repository.run(kill)
    assert outcome.differing == []
    assert outcome.resumed > 0


def test_kills_are_of_every_stage_through_everything():
    drawn = kills.draw(20, seed=0)
    assert {(kill.stage, kill.through) for kill in drawn} == {
        (stage, through)
        for stage in ("train", "base", "predict")
        for through in ("repro", "exp run", "queue")
    }
    assert sum(kill.in_save for kill in drawn) == 5
    in_outs = [kill for kill in drawn if kill.in_outs]
    assert {(kill.stage, kill.through) for kill in in_outs} == {
        ("train", through) for through in ("repro", "exp run", "queue")
    }


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (kills.Outcome(3, []), "yes"),
        (kills.Outcome(0, []), "no: it started anew"),
        (kills.Outcome(0, [], "before the first save"), "not counted: before the first save"),
        (kills.Outcome(3, ["models/price"]), "no: models/price"),
        (kills.Outcome(0, ["models/price"], "after the end"), "no: models/price"),
    ],
)
def test_a_kill_passes_only_if_its_stage_resumed(outcome, verdict):
    assert outcome.verdict == verdict


class Stub:
    """A repository of which every kill ends in the same way, but the third."""

    outcome = kills.Outcome(0, [])

    def __init__(self, *_):
        self.runs = 0

    def run(self, _):
        self.runs += 1
        return self.outcome if self.runs != 3 else kills.Outcome(0, [], "before the first save")


@pytest.mark.parametrize(("resumed", "code", "passed"), [(0, True, 0), (5, False, 4)])
def test_the_bench_fails_if_stages_start_anew(monkeypatch, capsys, resumed, code, passed):
    monkeypatch.setattr(Stub, "outcome", kills.Outcome(resumed, []))
    monkeypatch.setattr(kills, "Repository", Stub)
    monkeypatch.setattr(sys, "argv", ["kills.py", "--count", "4"])
    with pytest.raises(SystemExit) as ended:
        kills.main()
    assert ended.value.code == code
    printed = capsys.readouterr().out
    assert printed.count("not counted: before the first save") == 1
    assert f"{passed} of 4 resumed and equal" in printed
