"""What was acknowledged is there, once, whatever ends the hub."""

from __future__ import annotations

import hashlib
import random
import subprocess
import time
from pathlib import Path

import pytest
from tests.faults.hub_process import Connection, HubProcess, Predictions, ask_quality, send_labels
from tests.faults.label_load import audit, load_and_kill, replay_matches

from evermodel.contract import LabelStatus
from evermodel_runtime.quality.detector import Detector, DetectorSettings

SHIM = Path(__file__).with_name("unsynced.c")
BLOB = b"weights" * 40_000


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk that loses what was not synced, compiled."""
    library = tmp_path_factory.mktemp("shim") / "unsynced.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


async def test_no_label_is_lost_or_counted_twice_when_the_hub_is_killed(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            await ask_quality(connection)
        account = await load_and_kill(hub, seconds=9.0, per_second=200.0, kill_every=2.0)
        hub.kill()
    verdict = audit(tmp_path, account)
    assert account.kills >= 3
    assert len(account.acknowledged) == 1800
    assert (verdict.lost, verdict.double) == (0, 0)
    assert replay_matches(tmp_path)


@pytest.mark.parametrize("every", [1, 1000], ids="read after every {}".format)
async def test_the_alarm_survives_kills_and_is_that_of_the_ledger(tmp_path: Path, every: int) -> None:
    chance = random.Random(11)
    outcomes = [chance.random() < (0.97 if number < 1000 else 0.7) for number in range(1500)]
    alone = Detector(DetectorSettings(threshold=0.92, tolerance=0.01, false_alarm_every=10_000.0))
    alone.replay(enumerate(outcomes, 1))
    assert alone.crossing is not None
    predictions = Predictions(at=time.time())
    with HubProcess(tmp_path) as hub:
        await hub.start()
        for part in (outcomes[:700], outcomes[700 : alone.crossing.seq], outcomes[alone.crossing.seq :]):
            async with Connection(hub.port) as connection:
                for start in range(0, len(part), every):
                    labels = [(predictions.issue(), "7" if right else "8") for right in part[start : start + every]]
                    await send_labels(connection, *labels)
                    await ask_quality(connection)
            hub.kill()
            await hub.start()
        async with Connection(hub.port) as connection:
            alarm = (await ask_quality(connection)).alarm
    assert alarm is not None
    assert (alarm.seq, alarm.samples) == (alone.crossing.seq, alone.crossing.samples)
    assert alarm.value == 1 - alone.crossing.wrong / alone.crossing.samples
    assert replay_matches(tmp_path)


async def test_sigterm_ends_in_order(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        await hub.start()
        predictions = Predictions(at=time.time())
        async with Connection(hub.port) as connection:
            await send_labels(connection, *[(predictions.issue(), "7") for _ in range(10)])
        assert hub.terminate() == 0
    assert not (tmp_path / "hub.sqlite3-wal").exists()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def platter(tmp_path: Path) -> Path:
    folder = tmp_path / "platter"
    (folder / ".inodes").mkdir(parents=True)
    return folder


async def acknowledged_on(data: Path, platter: Path, shim: Path, synchronous: str) -> list[str]:
    """Run a hub on the disk that loses what was not synced; returns the ids acknowledged before it was killed."""
    environ = {
        "LD_PRELOAD": str(shim),
        "UNSYNCED_FOLDER": str(data),
        "UNSYNCED_PLATTER": str(platter),
        "EVERMODEL_HUB_SYNCHRONOUS": synchronous,
    }
    predictions = Predictions(at=time.time())
    acknowledged = []
    with HubProcess(data, environ) as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            status, _ = await connection.request("PUT", f"/v1/blobs/{hashlib.sha256(BLOB).hexdigest()}", BLOB)
            assert status == 201
            for size in [1] * 60 + [40] * 20:
                response = await send_labels(connection, *[(predictions.issue(), "7") for _ in range(size)])
                acknowledged += [result.id for result in response.results if result.status is LabelStatus.ACCEPTED]
        hub.kill()
    return acknowledged


async def found_on(platter: Path, acknowledged: list[str]) -> tuple[int, int, int]:
    """Start a hub on what the disk kept; returns labels known, labels sent that were missing, the blob's status."""
    with HubProcess(platter) as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            known = (await ask_quality(connection)).labels
            again = await send_labels(connection, *[(key, "7") for key in acknowledged])
            status, body = await connection.request("GET", f"/v1/blobs/{hashlib.sha256(BLOB).hexdigest()}")
            assert status != 200 or body == BLOB
    return known, again.accepted, status


async def test_what_was_acknowledged_is_on_the_platter(data: Path, platter: Path, shim: Path) -> None:
    acknowledged = await acknowledged_on(data, platter, shim, "FULL")
    assert len(acknowledged) == 860
    assert await found_on(platter, acknowledged) == (860, 0, 200)


async def test_the_platter_shows_the_loss_of_a_hub_that_does_not_sync(data: Path, platter: Path, shim: Path) -> None:
    acknowledged = await acknowledged_on(data, platter, shim, "OFF")
    assert len(acknowledged) == 860
    known, missing, _ = await found_on(platter, acknowledged)
    assert known < 860
    assert missing == 860 - known
