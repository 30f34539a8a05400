"""Blobs whose place another one took are removed a day later, unless anything on the volume names them."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.unit.hub.asgi import MODEL, HubClient

from evermodel.contract import (
    EvaluationReport,
    FailureReason,
    FailureReport,
    LineageEntry,
    ReportDigests,
    RunReport,
    TrainReport,
)
from evermodel.tokens import ANY_MODEL, Role
from evermodel_runtime.hub.retention import Retention
from evermodel_runtime.hub.schema import open_for_writing
from evermodel_runtime.hub.settings import Synchronous
from evermodel_runtime.hub.store import HubStore
from evermodel_runtime.hub.volume import DATABASE
from evermodel_runtime.hub.writer import DiskFull, Writer

DAY = 24 * 3600.0
FIRST, SECOND = b"age,label\n1,no\n", b"age,label\n2,yes\n"
DIGEST = hashlib.sha256(FIRST).hexdigest()


@pytest.fixture
def now(hub: HubClient) -> HubClient:
    """The hub at the time of its files."""
    hub.clock.now = time.time()
    return hub


async def upload(hub: HubClient, name: str, content: bytes) -> str:
    answer = await hub.request("PUT", f"/v1/datasets/{name}", content, role=Role.UPLOADER, model=ANY_MODEL)
    assert answer.status == 200, answer.error
    return hashlib.sha256(content).hexdigest()


async def put(hub: HubClient, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    assert (await hub.request("PUT", f"/v1/blobs/{digest}", content, role=Role.TRAINER)).status in {200, 201}
    return digest


def trained(manifest: str, data: str, started_from: str | None = None) -> TrainReport:
    return TrainReport(
        manifest=manifest,
        data_sha256=data,
        rows=10,
        feedback_rows=0,
        window="all",
        validation=None,
        classes=2,
        seconds=1.5,
        started_from=started_from,
    )


def evaluated(data: str, page: str) -> EvaluationReport:
    return EvaluationReport(reference=None, fresh=None, report=ReportDigests(json=data, html=page), seconds=1.0)


async def report(hub: HubClient, made: RunReport, stage: str) -> None:
    path = f"/v1/models/{MODEL}/runs/1/{stage}"
    answer = await hub.request("PUT", path, msgspec.json.encode(made), role=Role.TRAINER)
    assert answer.status == 200, answer.error


async def is_there(hub: HubClient, digest: str) -> bool:
    return (await hub.request("HEAD", f"/v1/blobs/{digest}", role=Role.TRAINER)).status == 200


async def after(hub: HubClient, seconds: float) -> None:
    hub.clock.now += seconds
    await hub.hub.retention.remove_replaced()


async def test_the_earlier_content_of_a_dataset_goes_a_day_later(now: HubClient) -> None:
    await upload(now, "people.csv", FIRST)
    newest = await upload(now, "people.csv", SECOND)
    await after(now, DAY - 60)
    assert await is_there(now, DIGEST)
    await after(now, 120)
    assert not await is_there(now, DIGEST)
    assert await is_there(now, newest)
    assert b"evermodel_hub_blobs_removed_total 1.0" in (await now.request("GET", "/metrics", role=None)).body


class NoRoom(Writer):
    """The writer of a full volume: not even a deletion can be written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(lambda: HubStore(open_for_writing(folder, Synchronous.OFF)), waiting_limit=1)
        self.asked = asyncio.Event()

    def submit(self, operation: object) -> asyncio.Future[object]:
        self.asked.set()
        raise DiskFull(operation)


async def test_a_full_volume_still_loses_what_was_replaced(
    now: HubClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await upload(now, "people.csv", FIRST)
    await upload(now, "people.csv", SECOND)
    now.clock.now += DAY + 60
    full = NoRoom(tmp_path)
    retention = Retention(
        writer=full,
        reader=now.hub.reader,
        blobs=now.hub.blobs,
        clock=now.clock,
        metrics=now.hub.metrics,
        captures_kept=1,
    )
    running = asyncio.create_task(retention.run())
    await asyncio.wait_for(full.asked.wait(), 30)
    running.cancel()
    assert not await is_there(now, DIGEST)
    assert "outdated rows stay" in caplog.text
    assert "Traceback" not in caplog.text


async def named_by_another_name(hub: HubClient) -> None:
    await upload(hub, "copy.csv", FIRST)


async def named_again(hub: HubClient) -> None:
    await upload(hub, "people.csv", FIRST)


async def named_by_a_report(hub: HubClient) -> None:
    await report(hub, trained("a" * 64, "b" * 64, started_from=DIGEST), "train")


async def named_by_a_manifest_that_no_row_names(hub: HubClient) -> None:
    await put(hub, msgspec.json.encode({"model": MODEL, "onnx": DIGEST, "columns": []}))


async def named_by_the_lineage(hub: HubClient) -> None:
    entry = LineageEntry(
        number=1,
        training_hash="h",
        manifest=DIGEST,
        holdout=0.9,
        holdout_set="reference",
        promoted_at=hub.clock.now,
        data_sha256="0" * 64,
    )
    answer = await hub.request("POST", f"/v1/models/{MODEL}/lineage", msgspec.json.encode(entry))
    assert answer.status == 200, answer.error


async def stored_once_more(hub: HubClient) -> None:
    """As a Job does that is about to name it."""
    with closing(sqlite3.connect(hub.hub.settings.data / DATABASE)) as connection:
        connection.execute("UPDATE replaced SET at = at - ?", (2 * DAY,))
        connection.commit()
    await put(hub, FIRST)


@pytest.mark.parametrize(
    "names",
    [
        named_by_another_name,
        named_again,
        named_by_a_report,
        named_by_a_manifest_that_no_row_names,
        named_by_the_lineage,
        stored_once_more,
    ],
)
async def test_what_is_named_stays(now: HubClient, names: Callable[[HubClient], Awaitable[None]]) -> None:
    await upload(now, "people.csv", FIRST)
    await upload(now, "people.csv", SECOND)
    await names(now)
    if names is stored_once_more:
        await after(now, 0)
    else:
        await after(now, DAY + 1)
    assert await is_there(now, DIGEST)


async def test_that_a_version_learnt_from_it_keeps_no_earlier_content(now: HubClient) -> None:
    await upload(now, "people.csv", FIRST)
    manifest = await put(now, msgspec.json.encode({"model": MODEL, "dataSha256": DIGEST}))
    await report(now, trained(manifest, DIGEST), "train")
    await upload(now, "people.csv", SECOND)
    await after(now, DAY + 1)
    assert not await is_there(now, DIGEST)
    assert await is_there(now, manifest)


async def test_pages_of_a_run_go_when_it_made_others(now: HubClient) -> None:
    data, page, newer = [await put(now, body) for body in (b'{"a": 1}', b"<html>", b"<html>newer")]
    await report(now, evaluated(data, page), "evaluate")
    await report(now, evaluated(data, newer), "evaluate")
    await report(now, FailureReport(reason=FailureReason.DATA_NOT_FOUND, message="no such file"), "evaluate")
    await after(now, DAY + 1)
    assert [await is_there(now, digest) for digest in (data, page, newer)] == [True, False, True]


async def test_the_model_of_a_repeated_run_stays(now: HubClient) -> None:
    first, second = [await put(now, body) for body in (b"first", b"second")]
    for manifest in (first, second):
        await report(now, trained(manifest, "b" * 64), "train")
    await after(now, DAY + 1)
    assert await is_there(now, first)


async def test_nothing_is_removed_of_what_was_never_replaced(now: HubClient, tmp_path: Path) -> None:
    unnamed = await put(now, b"of a Job that has not reported yet")
    await after(now, 400 * DAY)
    assert await is_there(now, unnamed)
    assert (tmp_path / "blobs" / unnamed[:2] / unnamed).stat().st_size
