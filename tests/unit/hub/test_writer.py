from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest

from evermodel_runtime.hub.writer import Overloaded, Stopped, Writer


class Numbers:
    """A store that keeps numbers and fails at negative ones."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.connection.execute("CREATE TABLE numbers (number INTEGER)")
        self.groups: list[list[int]] = []
        self.forgotten = 0

    def apply(self, operations: Sequence[Any]) -> list[Any]:
        self.groups.append(list(operations))
        for number in operations:
            self.connection.execute("INSERT INTO numbers VALUES (?)", (number,))
            if number < 0:
                raise ValueError(f"{number} is negative")
        (total,) = self.connection.execute("SELECT sum(number) FROM numbers").fetchone()
        return [(number, total) for number in operations]

    def committed(self) -> None:
        pass

    def forget(self) -> None:
        self.forgotten += 1


async def started(store: Numbers, limit: int = 100) -> Writer:
    writer = Writer(lambda: store, limit)
    await writer.start()
    return writer


async def test_operations_that_wait_together_share_a_commit() -> None:
    store = Numbers()
    writer = await started(store)
    results = await asyncio.gather(*[writer.submit(number) for number in range(50)])
    assert [number for number, _ in results] == list(range(50))
    assert writer.commits < 50
    assert list(chain.from_iterable(store.groups)) == list(range(50))
    await writer.stop()


async def test_an_operation_that_fails_harms_no_other() -> None:
    store = Numbers()
    writer = await started(store)
    futures = [writer.submit(number) for number in (1, 2, -3, 4)]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [False, False, True, False]
    assert (await writer.submit(10))[1] == 17
    assert store.forgotten >= 1
    await writer.stop()


async def test_what_waits_is_written_before_the_writer_stops() -> None:
    writer = await started(Numbers())
    futures = [writer.submit(number) for number in range(20)]
    await writer.stop()
    assert [number for number, _ in await asyncio.gather(*futures)] == list(range(20))
    assert not writer.alive
    assert not writer.failed
    with pytest.raises(Stopped):
        writer.submit(1)


async def test_more_than_the_limit_may_not_wait() -> None:
    writer = await started(Numbers(), limit=3)
    futures = [writer.submit(number) for number in range(3)]
    with pytest.raises(Overloaded):
        writer.submit(3)
    await asyncio.gather(*futures)
    assert (await writer.submit(4))[0] == 4
    await writer.stop()


async def test_a_caller_that_gave_up_stops_nobody() -> None:
    writer = await started(Numbers())
    gone, stays = writer.submit(1), writer.submit(2)
    gone.cancel()
    assert (await stays)[1] == 3
    await writer.stop()


async def test_a_store_that_does_not_open_says_why() -> None:
    def refuse() -> Numbers:
        raise OSError("no such volume")

    writer = Writer(refuse, 1)
    with pytest.raises(OSError, match="no such volume"):
        await writer.start()
