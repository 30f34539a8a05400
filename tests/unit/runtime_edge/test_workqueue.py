from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.unit.runtime_edge.virtual_time import in_virtual_time

from evermodel.runtime.workqueue import LONGEST_BACKOFF, WorkQueue


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def working(
    queue: WorkQueue[str], handle: Callable[[str], Awaitable[None]], workers: int = 1
) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(queue.work(handle)) for _ in range(workers)]
    try:
        yield
    finally:
        queue.close()
        await asyncio.gather(*tasks)


@in_virtual_time
async def test_a_key_that_waits_is_handled_once() -> None:
    queue, handled = WorkQueue[str](), list[str]()

    async def handle(key: str) -> None:
        handled.append(key)

    for key in ("a", "b", "a", "a"):
        queue.add(key)
    async with working(queue, handle):
        await asyncio.sleep(1)
    assert handled == ["a", "b"]


@in_virtual_time
async def test_a_key_is_never_handled_twice_at_a_time_and_nothing_that_happens_meanwhile_is_missed() -> None:
    queue, spans = WorkQueue[str](), list[tuple[float, float]]()

    async def handle(key: str) -> None:
        began = now()
        if not spans:
            queue.add(key)
            queue.add(key)
        await asyncio.sleep(10)
        spans.append((began, now()))

    queue.add("a")
    async with working(queue, handle, workers=8):
        await asyncio.sleep(60)
    assert spans == [(0, 10), (10, 20)]


@in_virtual_time
async def test_as_many_keys_are_handled_at_a_time_as_there_are_workers() -> None:
    queue, busy, most = WorkQueue[str](), 0, 0

    async def handle(_: str) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(1)
        busy -= 1

    for number in range(50):
        queue.add(str(number))
    assert len(queue) == 50
    async with working(queue, handle, workers=8):
        await asyncio.sleep(6.5)
        assert len(queue) == 0
        await asyncio.sleep(1)
    assert most == 8


@in_virtual_time
async def test_of_several_due_times_the_earliest_wins() -> None:
    queue, times = WorkQueue[str](), list[float]()

    async def handle(_: str) -> None:
        times.append(now())

    queue.add_after("a", 30)
    queue.add_after("a", 10)
    queue.add_after("a", 20)
    async with working(queue, handle):
        await asyncio.sleep(100)
    assert times == [10]


@in_virtual_time
async def test_a_run_drops_the_due_time_of_the_run_before() -> None:
    queue, times = WorkQueue[str](), list[float]()

    async def handle(_: str) -> None:
        times.append(now())

    async with working(queue, handle):
        queue.add_after("a", 30)
        await asyncio.sleep(5)
        queue.add("a")
        await asyncio.sleep(100)
    assert times == [5]


@in_virtual_time
async def test_failures_back_off_exponentially_up_to_a_limit_and_apart_for_each_key() -> None:
    queue = WorkQueue[str]()
    waits = [queue.back_off("a") for _ in range(12)]
    assert waits[:4] == [0.5, 1, 2, 4]
    assert waits[-1] == LONGEST_BACKOFF
    assert queue.failures("a") == 12
    assert queue.back_off("b") == 0.5
    queue.succeeded("a")
    assert queue.back_off("a") == 0.5
    assert queue.back_off("b", at_least=60) == 60


@in_virtual_time
async def test_a_key_that_always_fails_does_not_delay_another() -> None:
    queue, times = WorkQueue[str](), list[float]()

    async def handle(key: str) -> None:
        if key == "broken":
            queue.back_off(key)
            return
        times.append(now())

    queue.add("broken")
    async with working(queue, handle):
        for _ in range(3):
            await asyncio.sleep(100)
            queue.add("sound")
        await asyncio.sleep(1)
    assert times == [100, 200, 300]


@in_virtual_time
async def test_after_closing_what_runs_is_finished_and_what_waits_is_left() -> None:
    queue, handled = WorkQueue[str](), list[str]()

    async def handle(key: str) -> None:
        await asyncio.sleep(1)
        handled.append(key)

    queue.add("a")
    queue.add("b")
    worker = asyncio.create_task(queue.work(handle))
    await asyncio.sleep(0.5)
    queue.close()
    await worker
    assert handled == ["a"]
