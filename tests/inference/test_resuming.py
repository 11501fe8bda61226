import shutil

import pytest

from finetune.core import killed, remote_state, runstate
from finetune.core.files import read_json
from finetune.inference import budgets
from finetune.inference.budgets import Budgets
from finetune.inference.resuming import resumed
from finetune.modeling import answered
from finetune.modeling.batches import in_batches


class Device:
    type = "cpu"


class Model:
    """Stands for a model, whose device alone is asked for."""

    device = Device()


class Killed(BaseException):
    """Stands for a kill."""


@pytest.fixture
def free(monkeypatch):
    """Sets the budgets that fit the free memory."""

    def set_to(tokens: int) -> None:
        monkeypatch.setattr(budgets, "resolve", lambda run, model: Budgets(tokens, 2**20))

    set_to(64)
    return set_to


@pytest.fixture
def run(declared_run, tmp_path):
    def start(die=None, **options):
        with resumed(tmp_path / "base-x-1", declared_run(**options), Model()) as it:
            in_batches([1, 1], lambda longest: 1, "a", lambda indices: [0.5])
            if die:
                raise die
        return it

    return start


@pytest.fixture
def declared_run(monkeypatch):
    from finetune.core.schema import HostedRun, Prices, Run

    def made(**options):
        required = [name for name, field in Run.model_fields.items() if field.is_required()]
        values = dict.fromkeys(required) | {
            "token_budget": "auto",
            "eval_token_budget": "auto",
            "cache_gb": "auto",
            "save_minutes": 1e-9,
            "push_state": False,
            "report_to": [],
            "engine": "builtin",
            "processes": 1,
            "hosted": HostedRun(),
            "hosted_prices": Prices(),
        }
        return Run(**{k: v for k, v in (values | options).items() if k in Run.model_fields})

    return made


def test_the_budgets_of_the_killed_run_are_used_again(run, free):
    with pytest.raises(Killed):
        run(Killed())
    free(32)
    again = run()
    assert again.budgets == Budgets(64, 2**20)
    metrics = again.metrics()
    assert metrics.pop("minutes") >= 0
    assert metrics == {
        "engine": "builtin", "prompt_tokens": 64, "cache_gb": 0.001, "resumed_rows": 2,
        "processes": 1,
    }  # fmt: skip


def test_minutes_are_of_all_processes_of_the_run(run, free, monkeypatch, tmp_path):
    now = [1000.0]
    monkeypatch.setattr("finetune.inference.resuming.time.monotonic", lambda: now[0])
    store = answered.Store.add

    def slow(self, *args):
        now[0] += 90
        store(self, *args)

    monkeypatch.setattr(answered.Store, "add", slow)
    with pytest.raises(Killed):
        run(Killed())
    assert read_json(tmp_path / "base-x-1/seconds.json") == {"seconds": 180.0}
    now[0] = 0.0  # of another process, maybe after a reboot
    monkeypatch.setattr(killed, "ran_out_of_memory", lambda: True)  # all is answered anew
    assert run().metrics()["minutes"] == 6.0
    assert not (tmp_path / "base-x-1").exists()


def test_the_state_is_removed_at_the_end(run, free, tmp_path):
    run()
    assert not (tmp_path / "base-x-1").exists()


def test_until_pushed_all_answers_outlive_the_stage(run, free, tmp_path, monkeypatch):
    class Copies(remote_state.RemoteState):
        """The copy is a folder beside the run state."""

        def push(self):
            shutil.copytree(self.state, tmp_path / "copy")

        def pull(self):
            if (tmp_path / "copy").exists():
                shutil.copytree(tmp_path / "copy", self.state)
                shutil.rmtree(tmp_path / "copy")

    monkeypatch.setattr(runstate, "RemoteState", Copies)
    # Of the last answers none was written yet.
    assert run(save_minutes=60, push_state="until_pushed").metrics()["resumed_rows"] == 0
    assert not (tmp_path / "base-x-1").exists()
    assert run(save_minutes=60, push_state="until_pushed").metrics()["resumed_rows"] == 2


def test_after_an_out_of_memory_kill_batches_shrink_and_all_is_answered_anew(
    run, free, monkeypatch, caplog
):
    with pytest.raises(Killed):
        run(Killed())
    monkeypatch.setattr(killed, "ran_out_of_memory", lambda: True)
    again = run()
    assert again.budgets == Budgets(32, 2**19)
    assert again.store.resumed_rows == 0
    assert "answers all rows anew: batches of 32 tokens" in caplog.text


def test_after_a_failed_allocation_the_next_run_has_half(run, free, tmp_path, caplog):
    with pytest.raises(MemoryError):
        run(MemoryError())
    assert "the same command starts again with batches of 32 tokens" in caplog.text
    again = run()
    assert again.budgets.prompt_tokens == 32
    assert again.store.resumed_rows == 0


def test_budgets_that_the_parameters_set_win(run, free, caplog):
    with pytest.raises(Killed):
        run(Killed())
    free(16)
    again = run(eval_token_budget=16)
    assert again.budgets == Budgets(16, 2**20)
    assert again.store.resumed_rows == 0
    assert "where it began with 64 tokens" in caplog.text


def test_answers_of_another_device_are_not_used(run, free, monkeypatch):
    with pytest.raises(Killed):
        run(Killed())
    monkeypatch.setattr(Device, "type", "cuda")
    assert run().store.resumed_rows == 0
    assert answered._store is None


def test_answers_of_another_engine_are_not_used(run, free):
    with pytest.raises(Killed):
        run(Killed(), engine="transformers")
    again = run(engine="builtin")
    assert again.store.resumed_rows == 0
    assert again.metrics()["engine"] == "builtin"
