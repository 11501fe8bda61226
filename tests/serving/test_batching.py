import threading
import time

import pytest

from finetune.serving.batching import Batcher, Job
from finetune.serving.errors import ApiError
from finetune.serving.limits import Limits


class Held:
    """A computation that waits until it may go on; it writes down its batches."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[list] = []

    def __call__(self, group, jobs) -> None:
        self.batches.append([job.work for job in jobs])
        assert self.go.wait(10)
        for job in jobs:
            job.answer((group, job.work))


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def batcher(held):
    """A queue of at most six jobs, in batches of three, without a wait for further ones."""
    made = Batcher(held, Limits(batch=3, queue=6, window=0.0, wait=10))
    made.start()
    yield made
    held.go.set()
    made.stop(5)


def submitted(batcher: Batcher, *works, group="a") -> list[Job]:
    jobs = [Job(group, work) for work in works]
    for job in jobs:
        batcher.submit(job)
    return jobs


def wait_for(held: Held, batches: int) -> None:
    until = time.monotonic() + 5
    while len(held.batches) < batches and time.monotonic() < until:
        time.sleep(0.005)


def test_what_waits_is_answered_together_the_oldest_first_by_groups(batcher, held):
    first = submitted(batcher, 0)
    wait_for(held, 1)
    others = submitted(batcher, 1, 2, group="b") + submitted(batcher, 3) + submitted(
        batcher, 4, 5, group="b"
    )  # fmt: skip
    held.go.set()
    assert [job.future.result(5)[1] for job in first + others] == [0, 1, 2, 3, 4, 5]
    assert held.batches == [[0], [1, 2, 4], [3], [5]]


def test_no_room_is_said_at_once_with_when_to_come_again(batcher, held):
    submitted(batcher, 0)
    wait_for(held, 1)
    submitted(batcher, *range(1, 7))
    with pytest.raises(ApiError) as refused:
        submitted(batcher, 7)
    assert refused.value.status == 429
    assert int(refused.value.headers["Retry-After"]) >= 1


def test_of_a_request_with_several_jobs_all_wait_or_none(batcher, held):
    submitted(batcher, 0)
    wait_for(held, 1)
    submitted(batcher, 1, 2, 3, 4)
    with pytest.raises(ApiError):
        batcher.submit(Job("a", 5), Job("a", 6), Job("a", 7))
    assert batcher.waiting == 4


def test_who_has_left_is_not_computed(batcher, held):
    submitted(batcher, 0)
    wait_for(held, 1)
    left, stayed = submitted(batcher, 1, 2)
    left.future.cancel()
    held.go.set()
    assert stayed.future.result(5) == ("a", 2)
    assert held.batches == [[0], [2]]


def test_who_leaves_while_computed_harms_nobody(batcher, held):
    left, stayed = Job("a", 1), Job("a", 2)
    batcher.submit(left, stayed)
    wait_for(held, 1)
    left.future.cancel()
    held.go.set()
    assert stayed.future.result(5) == ("a", 2)


def test_an_error_is_that_of_its_own_job():
    def compute(group, jobs):
        for job in jobs:
            job.answer(1 / job.work)

    batcher = Batcher(compute, Limits(window=0.0))
    batcher.start()
    jobs = [Job("a", work) for work in (0, 1, 2)]
    batcher.submit(*jobs)
    assert [jobs[1].future.result(5), jobs[2].future.result(5)] == [1.0, 0.5]
    with pytest.raises(ApiError, match="the inference failed"):
        jobs[0].future.result(5)
    batcher.stop(5)
    assert not batcher.is_alive


def test_what_was_given_out_in_part_is_not_computed_anew():
    computed = []

    def compute(group, jobs):
        computed.append([job.work for job in jobs])
        jobs[0].has_begun = True
        raise RuntimeError

    batcher = Batcher(compute, Limits(window=0.0))
    batcher.start()
    jobs = [Job("a", work) for work in range(2)]
    batcher.submit(*jobs)
    for job in jobs:
        with pytest.raises(ApiError, match="the inference failed"):
            job.future.result(5)
    assert computed == [[0, 1], [1]]
    batcher.stop(5)


def test_at_the_end_those_that_wait_are_answered_and_no_more_are_taken(batcher, held):
    jobs = submitted(batcher, 0)
    wait_for(held, 1)
    jobs += submitted(batcher, 1, 2)
    stopping = threading.Thread(target=batcher.stop, args=(5,))
    stopping.start()
    while batcher.is_accepting:
        time.sleep(0.005)
    with pytest.raises(ApiError) as refused:
        submitted(batcher, 3)
    assert refused.value.status == 503
    held.go.set()
    stopping.join(5)
    assert [job.future.result(0)[1] for job in jobs] == [0, 1, 2]


def test_what_is_not_answered_by_then_is_told_so(batcher, held):
    submitted(batcher, 0)
    wait_for(held, 1)
    (late,) = submitted(batcher, 1)
    batcher.stop(0.05)
    with pytest.raises(ApiError, match="has stopped"):
        late.future.result(1)


def test_who_left_keeps_nobody_out_of_a_full_queue(batcher, held):
    submitted(batcher, 0)
    wait_for(held, 1)
    left = submitted(batcher, *range(1, 7))
    with pytest.raises(ApiError):
        submitted(batcher, 7)
    for job in left:
        job.future.cancel()
    assert batcher.waiting == 0
    (late,) = submitted(batcher, 8)
    held.go.set()
    assert late.future.result(5) == ("a", 8)
    assert held.batches == [[0], [8]]
