"""Group commit: one thread writes, and everything that waited while the disk was busy shares the next transaction."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")
GROUP_LIMIT = 4096
"""Operations in one transaction at most, so that no caller waits for an endless one."""


_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""The second where it is the index of the write-ahead log that cannot grow."""


class Store(Protocol):
    """What the writer commits to. Called from the writer's thread alone."""

    connection: sqlite3.Connection

    def apply(self, operations: Sequence[Any]) -> list[Any]:
        """Carry operations out, in an open transaction, and return their results in order."""

    def committed(self) -> None:
        """Do what has to be done before the results are told. Never raises: what was committed stays."""

    def forget(self) -> None:
        """Drop what was kept in memory: the transaction was rolled back."""


class Overloaded(Exception):  # noqa: N818 - a state of the hub that passes, not an error of it
    """Too many writes wait for the disk."""


class DiskFull(Exception):  # noqa: N818 - as above
    """The volume has no room; nothing of the operation was kept."""


class Stopped(Exception):  # noqa: N818 - as above
    """The hub is shutting down."""


@dataclass(slots=True)
class _Ticket:
    operation: Any
    future: asyncio.Future[Any]


class Writer:
    """Takes operations from the event loop, commits them in groups, and answers when they are on disk.

    Parameters
    ----------
    open_store : callable
        Opens the store; called once, in the writer's thread.
    waiting_limit : int
        Operations that may wait; one more raises ``Overloaded``.
    """

    def __init__(self, open_store: Callable[[], Store], waiting_limit: int) -> None:
        self._open_store = open_store
        self._limit = waiting_limit
        self._queue: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._waiting = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="hub-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: asyncio.Future[None] | None = None
        self.commits = 0

    @property
    def waiting(self) -> int:
        """Writes that are not on disk yet."""
        return self._waiting

    @property
    def alive(self) -> bool:
        """Whether writes can be taken."""
        return self._thread.is_alive() and not self._stopping

    @property
    def failed(self) -> bool:
        """Whether the thread ended by itself: only a new process helps."""
        return not self._thread.is_alive() and not self._stopping

    async def start(self) -> None:
        """Open the store and begin to take operations."""
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._thread.start()
        await self._opened

    async def stop(self) -> None:
        """Commit what waits, empty the write-ahead log into the database, and close."""
        self._stopping = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, operation: Any) -> asyncio.Future[Any]:
        """Queue one operation; the future has its result once it is on disk."""
        if self._stopping:
            raise Stopped
        if self._waiting >= self._limit:
            raise Overloaded
        future = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._queue.put(_Ticket(operation, future))
        return future

    def _run(self) -> None:
        assert self._loop is not None
        assert self._opened is not None
        try:
            store = self._open_store()
        except Exception as error:  # noqa: BLE001 - the thread's outermost frame: start() raises it
            self._loop.call_soon_threadsafe(self._opened.set_exception, error)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, None)
        while (group := self._next_group()) is not None:
            if group:
                self._answer(self._commit(store, group))
        self._close(store.connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:  # what was committed is in the log, which the next start reads
            logger.warning("the write-ahead log stays as it is: %s", error)
        connection.close()

    def _next_group(self) -> list[_Ticket] | None:
        """Wait for one operation and take all that wait behind it; None when the writer is to stop."""
        ticket = self._queue.get()
        if ticket is None:
            return None
        group = [ticket]
        for _ in range(min(self._queue.qsize(), GROUP_LIMIT)):
            ticket = self._queue.get()
            if ticket is None:
                self._queue.put(None)  # last in the queue again: stop after this group
                break
            group.append(ticket)
        return group

    def _commit(self, store: Store, group: list[_Ticket]) -> list[tuple[_Ticket, Any]]:
        """Commit a group; when it fails, each operation alone, so that one bad one harms no other."""
        try:
            results = self._transact(store, [ticket.operation for ticket in group])
        except Exception as error:
            failure = DiskFull() if _is_full(error) else error
            if len(group) == 1:
                if failure is error:
                    logger.exception("an operation failed and was rolled back")
                return [(group[0], failure)]
            return [answer for ticket in group for answer in self._commit(store, [ticket])]
        return list(zip(group, results, strict=True))

    def _transact(self, store: Store, operations: list[Any]) -> list[Any]:
        connection = store.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = store.apply(operations)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            store.forget()
            raise
        self.commits += 1
        store.committed()
        return results

    def _answer(self, answers: list[tuple[_Ticket, Any]]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._deliver, answers)

    def _deliver(self, answers: list[tuple[_Ticket, Any]]) -> None:
        self._waiting -= len(answers)
        for ticket, result in answers:
            if ticket.future.done():  # its caller went away
                continue
            if isinstance(result, Exception):
                ticket.future.set_exception(result)
            else:
                ticket.future.set_result(result)


def _is_full(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode in _NO_ROOM
