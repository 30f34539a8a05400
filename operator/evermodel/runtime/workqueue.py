"""Which ModelDeployment is looked at next.

A key is in at most one place of each: *ready* (in order, once), *running* (one worker at a time), *due* (later, the
earliest time wins). A key that is added while it runs is ready again as soon as that ends, so nothing that happened
meanwhile is missed. A run sets the next due time anew, so the old one is dropped when it begins.

Failures of a key back off exponentially, apart for each key: one broken ModelDeployment does not slow the others.
The clock is that of the running event loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF: Final = 0.5
"""Seconds after the first failure; doubles with each further one."""
LONGEST_BACKOFF: Final = 300.0
"""Seconds."""


class WorkQueue(Generic[K]):
    """Ready, running and due keys."""

    def __init__(self) -> None:
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._running: set[K] = set()
        self._again: set[K] = set()
        self._due: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Count the keys that wait for a worker."""
        return len(self._ready) + len(self._again)

    def add(self, key: K) -> None:
        """Have a key looked at as soon as a worker is free."""
        if key in self._running:
            self._again.add(key)
            return
        self._ready[key] = None
        self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key looked at after a while, or earlier when that was asked before."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        known = self._due.get(key)
        if known is not None:
            if known.when() <= due:
                return
            known.cancel()
        self._due[key] = loop.call_at(due, self._fall_due, key)

    def back_off(self, key: K, at_least: float = 0.0) -> float:
        """Count a failure and have the key looked at again; returns after how many seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = max(at_least, min(FIRST_BACKOFF * 2.0 ** min(failures, 32), LONGEST_BACKOFF))
        self.add_after(key, seconds)
        return seconds

    def failures(self, key: K) -> int:
        """Return how often in a row a key failed."""
        return self._failures.get(key, 0)

    def succeeded(self, key: K) -> None:
        """Begin counting failures anew."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Let workers end after what they are at; what waits is left."""
        self._closed = True
        self._wake.set()

    async def work(self, handle: Callable[[K], Awaitable[None]]) -> None:
        """Give keys to a handler until the queue is closed: a worker. The handler must not raise."""
        while (key := await self._next()) is not None:
            try:
                await handle(key)
            finally:
                self._running.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    async def _next(self) -> K | None:
        while not self._closed and not self._ready:
            self._wake.clear()
            await self._wake.wait()
        if self._closed:
            return None
        key, _ = self._ready.popitem(last=False)
        self._running.add(key)
        due = self._due.pop(key, None)
        if due is not None:
            due.cancel()
        return key

    def _fall_due(self, key: K) -> None:
        del self._due[key]
        self.add(key)
