"""A volume that is lost is restored from a backup that was made while the hub worked."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.faults.hub_process import (
    MODEL,
    ROOT,
    Connection,
    HubProcess,
    Predictions,
    ask_quality,
    send_labels,
)
from tests.faults.label_load import replay_matches

from evermodel.contract import Heartbeat, LabelStatus

ARTIFACT = b"weights" * 40_000
LATER = b"of a version that came after the backup"


def run(data: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command of the hub's image on a volume."""
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT / "trainer_image")]),
        "EVERMODEL_HUB_DATA": str(data),
    }
    command = [sys.executable, "-m", "evermodel_runtime", *arguments]
    return subprocess.run(command, env=environ, input=given, capture_output=True, timeout=120, check=False)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def put(connection: Connection, body: bytes) -> str:
    digest = hashlib.sha256(body).hexdigest()
    status, _ = await connection.request("PUT", f"/v1/blobs/{digest}", body)
    assert status == 201
    return digest


async def beat(connection: Connection, predictions: int) -> None:
    """Tell what a pod has answered since its start."""
    heartbeat = Heartbeat(pod="pod-1", version=1, predictions=predictions, errors=0)
    status, body = await connection.request("POST", f"/v1/models/{MODEL}/heartbeat", msgspec.json.encode(heartbeat))
    assert status == 200, body


class Senders:
    """Clients that send one label after the other as fast as the hub takes them."""

    def __init__(self, hub: HubProcess, predictions: Predictions) -> None:
        self._hub = hub
        self._predictions = predictions
        self.acknowledged: list[str] = []
        self._done = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(self._send())

    def stop(self) -> None:
        self._done = True

    async def _send(self) -> None:
        async with Connection(self._hub.port) as connection:
            while not self._done:
                issued = self._predictions.issue()
                answer = await send_labels(connection, (issued, "7"))
                assert answer.accepted == 1
                self.acknowledged.append(issued)


async def test_a_lost_volume_comes_back_as_it_was_when_the_backup_began(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    kept.mkdir()
    predictions = Predictions(at=time.time())
    with HubProcess(data) as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            await ask_quality(connection)
            artifact = await put(connection, ARTIFACT)
            await beat(connection, 500)
            senders = Senders(hub, predictions)
            sending = asyncio.create_task(senders.run())
            while len(senders.acknowledged) < 300:  # noqa: ASYNC110 - the senders set no event
                await asyncio.sleep(0.01)
            before = list(senders.acknowledged)
            made = await asyncio.to_thread(run, data, "hub-backup", str(kept))
            assert made.returncode == 0, made.stderr
            later = await put(connection, LATER)
            senders.stop()
            await sending
            assert len(senders.acknowledged) > len(before)  # labels were written all along
            await beat(connection, 900)
        hub.kill()
        shutil.rmtree(data)

        backup = made.stdout.decode().strip()
        assert backup == f"{kept}/{names(kept)[0]}"
        assert len(names(kept)) == 1
        restored = run(data, "hub-restore", backup)
        assert restored.returncode == 0, restored.stderr
        assert replay_matches(data)

        await hub.start()
        async with Connection(hub.port) as connection:
            known = (await ask_quality(connection)).labels
            assert len(before) <= known <= len(senders.acknowledged)
            again = await send_labels(connection, *[(issued, "7") for issued in before])
            assert {result.status for result in again.results} == {LabelStatus.DUPLICATE}

            # Clients that send all again have each label counted once.
            everything = await send_labels(connection, *[(issued, "7") for issued in senders.acknowledged])
            assert everything.accepted == len(senders.acknowledged) - known
            new = await send_labels(connection, *[(predictions.issue(), "7") for _ in range(100)])
            assert new.accepted == 100

            await beat(connection, 950)
            quality = await ask_quality(connection)
            assert (quality.labels, quality.predictions) == (len(senders.acknowledged) + 100, 950)
            assert await connection.request("GET", f"/v1/blobs/{artifact}") == (200, ARTIFACT)
            assert (await connection.request("GET", f"/v1/blobs/{later}"))[0] == 404
        hub.kill()
    assert replay_matches(data)


@pytest.fixture
async def volume(tmp_path: Path) -> Path:
    """A volume with a few labels and blobs, whose hub was killed."""
    data = tmp_path / "data"
    predictions = Predictions(at=time.time())
    with HubProcess(data) as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            await put(connection, ARTIFACT)
            await put(connection, LATER)
            await send_labels(connection, *[(predictions.issue(), "7") for _ in range(50)])
        hub.kill()
    return data


def backup_of(data: Path) -> bytes:
    made = run(data, "hub-backup", "-")
    assert made.returncode == 0, made.stderr
    return made.stdout


def members(backup: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(backup)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            yield member.name, file.read()


def packed(parts: Iterator[tuple[str, bytes]] | list[tuple[str, bytes]]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, body in parts:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return whole.getvalue()


def without_its_end(backup: bytes) -> bytes:
    return packed(list(members(backup))[:-1])


def without_a_blob(backup: bytes) -> bytes:
    parts = list(members(backup))
    return packed([*parts[:1], *parts[2:]])


def with_another_byte(backup: bytes) -> bytes:
    name, body = (parts := list(members(backup)))[1]
    return packed([parts[0], (name, b"?" + body[1:]), *parts[2:]])


def with_another_label(backup: bytes) -> bytes:
    name, body = (parts := list(members(backup)))[0]
    return packed([(name, body.replace(b"7", b"8")), *parts[1:]])


def with_a_path(backup: bytes) -> bytes:
    return packed([("../evil", b"?"), *members(backup)])


def of_a_newer_hub(backup: bytes) -> bytes:
    name, body = (parts := list(members(backup)))[-1]
    return packed([*parts[:-1], (name, body.replace(b'"schema":', b'"schema":9'))])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda backup: backup[: len(backup) // 2], b"cut off", id="half of it"),
        pytest.param(without_its_end, b"cut off: backup.json", id="no list at its end"),
        pytest.param(without_a_blob, b"does not hold what the list at its end says", id="a blob less"),
        pytest.param(with_another_byte, b"is damaged: blob ", id="a byte of a blob"),
        pytest.param(with_another_label, b"does not hold what the list at its end says", id="bytes of the database"),
        pytest.param(with_a_path, b"no backup of a hub: it has a member '../evil'", id="a path out of the volume"),
        pytest.param(of_a_newer_hub, b"run a newer image", id="a newer schema"),
        pytest.param(lambda _: b"id,label\n" * 1000, b"no whole backup of a hub", id="some other file"),
        pytest.param(lambda _: b"", b"no whole backup of a hub", id="nothing"),
    ],
)
async def test_what_is_no_whole_backup_leaves_a_volume_that_a_whole_one_fills(
    volume: Path, tmp_path: Path, change: object, says: bytes
) -> None:
    backup, empty = backup_of(volume), tmp_path / "empty"
    assert callable(change)

    refused = run(empty, "hub-restore", "-", given=change(backup))

    assert refused.returncode == 1
    assert says in refused.stderr
    with HubProcess(empty) as hub, pytest.raises(RuntimeError, match="the hub ended with 1"):
        await hub.start()  # it would begin an empty ledger
    restored = run(empty, "hub-restore", "-", given=backup)
    assert restored.returncode == 0, restored.stderr
    with HubProcess(empty) as hub:
        await hub.start()
        async with Connection(hub.port) as connection:
            assert (await ask_quality(connection)).labels == 50
            assert await connection.request("GET", f"/v1/blobs/{hashlib.sha256(LATER).hexdigest()}") == (200, LATER)


@pytest.mark.parametrize("running", [pytest.param(True, id="in use"), pytest.param(False, id="at rest")])
async def test_a_volume_that_has_something_is_not_overwritten(volume: Path, running: bool) -> None:  # noqa: FBT001
    backup = backup_of(volume)
    with HubProcess(volume) as hub:
        if running:
            await hub.start()
        refused = run(volume, "hub-restore", "-", given=backup)
    assert refused.returncode == 1
    assert (b"another hub is using" if running else b"into an empty volume") in refused.stderr
    assert not (volume / "restoring").exists()


async def test_a_blob_that_the_disk_damaged_is_left_out_and_named(volume: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(ARTIFACT).hexdigest()
    (volume / "blobs" / digest[:2] / digest).write_bytes(b"?" * len(ARTIFACT))

    made = run(volume, "hub-backup", "-")
    restored = run(tmp_path / "empty", "hub-restore", "-", given=made.stdout)

    assert (made.returncode, restored.returncode) == (0, 0)
    assert f"blob {digest} is damaged".encode() in made.stderr
    assert b"2 blobs, 1 damaged ones left out" in restored.stdout
    assert not (tmp_path / "empty" / "blobs" / digest[:2] / digest).exists()


async def test_a_damaged_database_is_not_backed_up(volume: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(volume / "hub.sqlite3")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with (volume / "hub.sqlite3").open("r+b") as file:
        file.seek(8192)
        file.write(b"?" * 40_000)

    made = run(volume, "hub-backup", str(tmp_path))

    assert made.returncode == 1
    assert b"no backup was made: the database" in made.stderr
    assert names(tmp_path) == ["data"]


def test_a_folder_without_a_hub_is_told(tmp_path: Path) -> None:
    made = run(tmp_path, "hub-backup", "-")
    assert (made.returncode, made.stdout) == (1, b"")
    assert b"is this the hub's volume (EVERMODEL_HUB_DATA)?" in made.stderr
    assert list(tmp_path.iterdir()) == []


async def test_as_many_backups_are_kept_as_are_wanted(volume: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("hub-20250101T000000Z.tar", "hub-20250102T000000Z.tar", "hub-20250103T000000Z.tar", "notes.tar"):
        (kept / name).touch()

    made = run(volume, "hub-backup", str(kept), "--keep", "2")

    assert made.returncode == 0, made.stderr
    newest = made.stdout.decode().strip().rpartition("/")[2]
    assert names(kept) == ["hub-20250103T000000Z.tar", newest, "notes.tar"]
