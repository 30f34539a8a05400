"""Labels at a steady rate to a hub that is killed again and again, and an account of what became of them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.hub_process import KEY, MODEL, Connection, HubProcess, Predictions, send_labels

from evermodel.contract import LabelStatus
from evermodel.tokens import Role, role_token
from evermodel_runtime.hub.volume import DATABASE
from evermodel_runtime.quality.detector import Detector, DetectorSettings
from evermodel_runtime.quality.prediction_id import Issued, Signer

SENDERS = 8
ON_DISK = (LabelStatus.ACCEPTED, LabelStatus.DUPLICATE)


@dataclass(slots=True, kw_only=True)
class Account:
    """What the clients know."""

    acknowledged: set[str] = field(default_factory=set)
    """Ids whose label the hub said to be on disk."""
    accepted: int = 0
    """Acknowledgements that said Accepted."""
    kills: int = 0


async def load_and_kill(hub: HubProcess, *, seconds: float, per_second: float, kill_every: float) -> Account:
    """Send labels, one a request, again when unanswered, while the hub is killed and started."""
    account = Account()
    waiting: deque[str] = deque()
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(SENDERS):
            tasks.create_task(_send(hub, waiting, done, account))
        tasks.create_task(_kill(hub, done, account, kill_every))
        predictions = Predictions(at=time.time())
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            while predictions.issued < now * per_second:
                waiting.append(predictions.issue())
            await asyncio.sleep(0.005)
        while predictions.issued < seconds * per_second:  # a busy machine may have cut the last tick short
            waiting.append(predictions.issue())
        done.set()
    return account


async def _send(hub: HubProcess, waiting: deque[str], done: asyncio.Event, account: Account) -> None:
    """Be one client: keep a connection, send what waits, and send again what was not answered."""
    while not done.is_set() or waiting:
        try:
            async with Connection(hub.port) as connection:
                while not done.is_set() or waiting:
                    if waiting:
                        await _send_one(connection, waiting, account)
                    else:
                        await asyncio.sleep(0.002)
        except OSError:
            await asyncio.sleep(0.01)


async def _send_one(connection: Connection, waiting: deque[str], account: Account) -> None:
    prediction = waiting.popleft()
    try:
        result = (await send_labels(connection, (prediction, "7"))).results[0]
    except (OSError, RuntimeError):
        waiting.append(prediction)  # unanswered: it may be on disk or not, and is sent again
        raise
    assert result.status in ON_DISK, result
    account.accepted += result.status is LabelStatus.ACCEPTED
    account.acknowledged.add(prediction)


async def _kill(hub: HubProcess, done: asyncio.Event, account: Account, every: float) -> None:
    while True:
        try:
            async with asyncio.timeout(every):
                await done.wait()
                return
        except TimeoutError:
            hub.kill()
            account.kills += 1
            await hub.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the ledger holds of what was acknowledged."""

    lost: int
    double: int
    labels: int


def audit(data: Path, account: Account) -> Verdict:
    """Compare the ledger of a hub that has ended with what its clients were told."""
    signer = Signer(role_token(KEY, MODEL, Role.SERVER), MODEL)
    told = {issued.key for key in account.acknowledged if isinstance(issued := signer.verify(key), Issued)}
    connection = sqlite3.connect(data / DATABASE)
    keys = [key for (key,) in connection.execute("SELECT key FROM labels")]
    (counted,) = connection.execute("SELECT coalesce(sum(labels), 0) FROM totals").fetchone()
    connection.close()
    return Verdict(
        lost=len(told - set(keys)), double=len(keys) - len(set(keys)) + abs(counted - len(keys)), labels=len(keys)
    )


def replay_matches(data: Path) -> bool:
    """Whether every stored detector is, to the bit, what a replay of the ledger gives."""
    connection = sqlite3.connect(data / DATABASE)
    stored = connection.execute(
        "SELECT model, version, threshold, tolerance, false_alarm_every, state FROM detectors"
    ).fetchall()
    matches = []
    for model, version, threshold, tolerance, every, state in stored:
        detector = Detector(DetectorSettings(threshold=threshold, tolerance=tolerance, false_alarm_every=every))
        detector.replay(
            connection.execute(
                "SELECT seq, correct FROM labels WHERE model = ? AND version = ? ORDER BY seq", (model, version)
            )
        )
        matches.append(detector.dump() == state)
    connection.close()
    return bool(matches) and all(matches)
