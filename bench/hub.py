"""What the hub takes in, each label on disk before it is answered, and what it keeps when it is killed.

    python bench/hub.py                     eleven minutes, most of them those with kills
    python bench/hub.py --seconds 60        fewer kills
    python bench/hub.py --data /mnt/disk    on another disk than that of temporary files

It fails where a label was lost or counted twice. Wanted besides: 3,000 single labels a second, and 30,000 in batches
of 100.

One hub process on loopback, all clients in this process. Beside it, in the same run and on the same disk, bare SQLite
with full sync: what the disk and the database alone would give. Labels come in the order of their predictions, which
are 0.1 ms apart; of predictions that were all made within one millisecond, whose keys lie at random in the index, the
hub takes a third less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from tests.faults.hub_process import FEEDBACK_PATH, Connection, HubProcess, Predictions, ask_quality, feedback
from tests.faults.label_load import Verdict, audit, load_and_kill, replay_matches

BATCH = 100
PREPARED_SECONDS = 12_000
"""Single requests prepared for each second: more than the hub can take."""
EVERY = 0.0001
"""Seconds from one prediction to the next: no model makes all that are labelled within a millisecond."""
DEADLINE = 30.0
"""Seconds after its end at which a part that hangs is given up."""
KILL_EVERY = 15.0
LABELS_PER_SECOND = 100.0


class Client(asyncio.Protocol):
    """One connection that sends its next request when the last one was answered: less work than any HTTP library."""

    def __init__(self, requests: Iterator[bytes], answered: Callable[[bytes], bool]) -> None:
        self._requests = requests
        self._answered = answered
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, transport: asyncio.Transport) -> None:
        """Send the first request over an open connection."""
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self._received.decode()))
            return
        self._received = b""
        if self._answered(body):
            self._next()
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with an error when the hub went away before the end."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the hub went away"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._finish()
        else:
            self._transport.write(request)

    def _finish(self) -> None:
        self.done.set_result(None)
        self._transport.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Labels acknowledged in a time."""

    labels: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Labels a second."""
        return self.labels / self.seconds


async def throughput(hub: HubProcess, *, batch: int, connections: int, seconds: float, prepared: int) -> Throughput:
    """Send new labels over many connections for some seconds, ``batch`` in a request."""
    predictions = Predictions(at=time.time() - EVERY * batch * prepared, version=batch, every=EVERY)
    encode = Connection(hub.port).encode
    requests = iter(
        [
            encode("POST", FEEDBACK_PATH, feedback(*[(predictions.issue(), "7") for _ in range(batch)]))
            for _ in range(prepared)
        ]
    )
    accepted = 0
    began = time.perf_counter()

    def answered(body: bytes) -> bool:
        nonlocal accepted
        accepted += body.count(b'"Accepted"')
        return time.perf_counter() - began < seconds

    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        transport, client = await loop.create_connection(lambda: Client(requests, answered), "127.0.0.1", hub.port)
        client.start(transport)
        clients.append(client)
    await asyncio.wait_for(asyncio.gather(*[client.done for client in clients]), seconds + DEADLINE)
    return Throughput(labels=accepted, seconds=time.perf_counter() - began)


def bare_sqlite(folder: Path, *, batch: int, seconds: float) -> Throughput:
    """Insert labels into a table with one index, ``batch`` in a commit with full sync, and nothing else."""
    connection = sqlite3.connect(folder / f"bare-{batch}.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE labels (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, label TEXT NOT NULL)")
    predictions = Predictions(at=time.time(), every=EVERY)
    labels = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO labels (id, label) VALUES (?, ?)", [(predictions.issue(), "7") for _ in range(batch)]
        )
        connection.execute("COMMIT")
        labels += batch
    result = Throughput(labels=labels, seconds=time.perf_counter() - began)
    connection.close()
    return result


async def measure_throughput(folder: Path, seconds: float) -> tuple[float, float]:
    """Measure single and batched labels, beside bare SQLite."""
    with HubProcess(folder / "throughput") as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            for version in (1, BATCH):  # a detector steps with each label, as in production
                await ask_quality(connection, version)
        single = await throughput(
            hub, batch=1, connections=64, seconds=seconds, prepared=int(PREPARED_SECONDS * seconds)
        )
        batched = await throughput(
            hub, batch=BATCH, connections=16, seconds=seconds, prepared=int(PREPARED_SECONDS / 10 * seconds)
        )
        hub.terminate()
    rows = [
        ("hub, one label a request, 64 connections", single),
        (f"hub, {BATCH} labels a request, 16 connections", batched),
        ("bare SQLite, one label a commit", bare_sqlite(folder, batch=1, seconds=seconds / 2)),
        (f"bare SQLite, {BATCH} labels a commit", bare_sqlite(folder, batch=BATCH, seconds=seconds / 2)),
        (f"bare SQLite, {10 * BATCH} labels a commit", bare_sqlite(folder, batch=10 * BATCH, seconds=seconds / 2)),
    ]
    print(f"{'every label on disk before it is answered':<46} {'labels':>9} {'seconds':>8} {'labels/s':>9}")
    for name, result in rows:
        print(f"{name:<46} {result.labels:9,} {result.seconds:8.1f} {result.per_second:9,.0f}", flush=True)
    return single.per_second, batched.per_second


async def measure_kills(folder: Path, seconds: float) -> tuple[int, Verdict, bool]:
    """Kill the hub again and again under load and compare its ledger with what was acknowledged."""
    data = folder / "kills"
    with HubProcess(data) as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            await ask_quality(connection)
        account = await load_and_kill(hub, seconds=seconds, per_second=LABELS_PER_SECOND, kill_every=KILL_EVERY)
        hub.kill()
    verdict, replayed = audit(data, account), replay_matches(data)
    print(
        f"\n{seconds:.0f} s at {LABELS_PER_SECOND:.0f} labels/s with {account.kills} SIGKILLs: "
        f"{len(account.acknowledged):,} acknowledged, {verdict.labels:,} in the ledger, "
        f"{verdict.lost} lost, {verdict.double} counted twice, "
        f"detector {'equal' if replayed else 'NOT EQUAL'} to a replay of the ledger\n"
    )
    return account.kills, verdict, replayed


async def run(folder: Path, seconds: float, throughput_seconds: float) -> bool:
    """Measure everything and print it; returns whether each label was counted once."""
    single, batched = await measure_throughput(folder, throughput_seconds)
    kills, verdict, replayed = await measure_kills(folder, seconds)
    result = {
        "single_labels_per_s": round(single),
        "batched_labels_per_s": round(batched),
        "seconds_with_kills": seconds,
        "kills": kills,
        "lost": verdict.lost,
        "double": verdict.double,
        "detector_replayed": replayed,
    }
    print(json.dumps(result))
    return replayed and (verdict.lost, verdict.double) == (0, 0)


def main() -> int:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the part with kills (600)")
    parser.add_argument("--throughput-seconds", type=float, default=6.0, help="length of each throughput part (6)")
    parser.add_argument("--data", type=Path, default=None, help="folder on the disk to measure (temporary files)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evermodel-bench-", dir=options.data) as folder:
        good = uvloop.run(run(Path(folder), options.seconds, options.throughput_seconds))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
