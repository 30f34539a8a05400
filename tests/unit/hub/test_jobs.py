from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.hub.asgi import MODEL, START, HubClient, running_hub

from evermodel.contract import (
    Capture,
    Column,
    ColumnKind,
    EvaluationReport,
    FailureReason,
    FailureReport,
    HeldoutUse,
    HeldoutUseReply,
    LabelledRecords,
    Lineage,
    LineageEntry,
    Measure,
    Metric,
    ReportDigests,
    RunReport,
    TrainReport,
    Trial,
    TrialBegun,
    Trials,
    TrialsLeft,
)
from evermodel.tokens import ANY_MODEL, Role
from evermodel_runtime.hub.schema import METRICS, SCHEMA_VERSION, STEPS
from evermodel_runtime.hub.trials import KEPT, TrialBoard
from evermodel_runtime.hub.volume import DATABASE


def lineage_entry(number: int, promoted_at: float, manifest: str = "m") -> LineageEntry:
    return LineageEntry(
        number=number,
        training_hash="t",
        manifest=manifest,
        holdout=0.95,
        holdout_set="reference",
        promoted_at=promoted_at,
        data_sha256="d",
    )


async def records(hub: HubClient, query: str = "") -> LabelledRecords:
    answer = await hub.request("GET", f"/v1/models/{MODEL}/records?{query}", role=Role.TRAINER)
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=LabelledRecords)


async def test_records_join_labels_and_captures_whichever_came_first(hub: HubClient) -> None:
    before, after, never = (hub.prediction("7") for _ in range(3))
    await hub.beat(1, Capture(id=before, row=(1.5, "red", None, True)))
    await hub.label((before, 7.0), (after, "8"), (never, 7))
    assert [record.seq for record in (await records(hub)).records] == [1]
    await hub.beat(3, Capture(id=after, row=(2, "blue", 0, False)))
    page = await records(hub)
    assert [(record.seq, record.label, record.row) for record in page.records] == [
        (1, "7", (1.5, "red", None, True)),
        (2, "8", (2, "blue", 0, False)),
    ]
    assert page.records[0].predicted_at == START
    assert (page.through, page.more) == (3, False)


@pytest.mark.parametrize(
    ("manifest", "known"),
    [
        pytest.param(
            b'{"columns": [{"name": "size", "kind": "number"}], "target": "kind", "more": 1}', True, id="its manifest"
        ),
        pytest.param(b"an image", False, id="another blob"),
        pytest.param(None, False, id="a blob that is not there"),
    ],
)
async def test_records_come_with_the_columns_that_the_lineage_knows_of_their_versions(
    hub: HubClient, manifest: bytes | None, *, known: bool
) -> None:
    digest = hashlib.sha256(manifest or b"").hexdigest()
    if manifest is not None:
        assert (await hub.request("PUT", f"/v1/blobs/{digest}", manifest, role=Role.TRAINER)).status == 201
    for champion in (lineage_entry(1, 10.0, digest), lineage_entry(3, 10.0, "none")):
        await hub.request("POST", f"/v1/models/{MODEL}/lineage", msgspec.json.encode(champion))
    predictions = [hub.prediction("7", version=version) for version in (3, 1, 2, 1)]
    await hub.beat(4, *[Capture(id=prediction, row=(place,)) for place, prediction in enumerate(predictions)])
    await hub.label(*[(prediction, 7) for prediction in predictions])

    page = await records(hub)

    assert [record.version for record in page.records] == [3, 1, 2, 1]
    assert page.columns == ({1: (Column(name="size", kind=ColumnKind.NUMBER),)} if known else {})
    assert page.targets == ({1: "kind"} if known else {})
    assert (await records(hub, "through=1")).columns == {}, "only of versions on this page"


async def test_records_come_in_pages_in_ledger_order(hub: HubClient) -> None:
    predictions = [hub.prediction("7", at=START - 100 + number) for number in range(25)]
    await hub.label(*[(prediction, 7) for prediction in predictions])
    await hub.beat(25, *[Capture(id=prediction, row=(number,)) for number, prediction in enumerate(predictions)])
    seen, after, more = [], 2, True
    while more:
        page = await records(hub, f"after={after}&through=20&limit=7&predictedAfter={START - 95}")
        seen += [record.row[0] for record in page.records]
        after, more = page.through, page.more
    assert seen == list(range(6, 20))
    assert after == 20


async def test_a_capture_is_kept_once_and_only_with_an_id_of_ours(hub: HubClient) -> None:
    prediction = hub.prediction("7")
    forged = Capture(id="nonsense", row=(9,))
    foreign = Capture(id=hub.prediction("7", model="other"), row=(9,))
    reply = await hub.beat(1, Capture(id=prediction, row=(1,)), forged, foreign)
    assert reply.stored == 1
    assert (await hub.beat(1, Capture(id=prediction, row=(2,)))).stored == 1
    await hub.label((prediction, 7))
    assert [record.row for record in (await records(hub)).records] == [(1,)]
    metrics = (await hub.request("GET", "/metrics", role=None)).body.decode()
    assert 'evermodel_hub_captures_refused_total{model="digits"} 2.0' in metrics
    assert "evermodel_hub_records 1.0" in metrics


async def test_the_newest_captures_stay(tmp_path: Path) -> None:
    async with running_hub(tmp_path, captures_kept=5) as hub:
        predictions = [hub.prediction("7") for _ in range(12)]
        for number, prediction in enumerate(predictions, 1):
            await hub.beat(number, Capture(id=prediction, row=(number,)))
        await hub.label(*[(prediction, 7) for prediction in predictions])
        assert [record.row for record in (await records(hub)).records] == [(8,), (9,), (10,), (11,), (12,)]
        metrics = (await hub.request("GET", "/metrics", role=None)).body.decode()
    assert 'evermodel_hub_captures_dropped_total{model="digits"} 7.0' in metrics


async def use(hub: HubClient, version: int, **changes: Any) -> int:
    question = HeldoutUse(**{"set": "reference", "version": version, "rows_key": "a", **changes})
    answer = await hub.request(
        "POST", f"/v1/models/{MODEL}/heldout-uses", msgspec.json.encode(question), role=Role.TRAINER
    )
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=HeldoutUseReply).use


async def test_reference_rows_count_the_versions_that_used_them(hub: HubClient) -> None:
    assert [await use(hub, version) for version in (2, 3, 2, 5, 3)] == [1, 2, 1, 3, 2]
    assert await use(hub, 5, rows_key="b") == 1


async def test_fresh_rows_count_the_versions_whose_ranges_overlap(hub: HubClient) -> None:
    async def fresh(version: int, after: int, through: int) -> int:
        return await use(hub, version, set="fresh", rows_key="fresh", after=after, through=through)

    assert await fresh(2, 0, 400) == 1
    assert await fresh(3, 400, 800) == 1  # touches, shares no row
    assert await fresh(4, 300, 500) == 3
    assert await fresh(4, 300, 500) == 3
    assert await fresh(3, 400, 800) == 1  # as it was told
    assert await fresh(5, 799, 900) == 2
    assert await use(hub, 6) == 1  # the reference rows are another set


def trial(number: int, score: float = 0.9) -> Trial:
    return Trial(number=number, parameters={"C": [1, None, "x"]}, rows=10, scores=(score,), score=score, std=0.0)


async def tried(hub: HubClient, version: int, run: str, *trials: Trial) -> list[Trial]:
    path = f"/v1/models/{MODEL}/trials/{version}/{run * 64}"
    for one in trials:
        assert (await hub.request("POST", path, msgspec.json.encode(one), role=Role.TRAINER)).status == 200
    answer = await hub.request("GET", path, role=Role.TRAINER)
    return list(msgspec.json.decode(answer.body, type=Trials).trials)


async def test_trials_of_a_search_are_kept_once_and_come_back_by_number(hub: HubClient) -> None:
    assert await tried(hub, 3, "a") == []
    assert await tried(hub, 3, "a", trial(2), trial(1), trial(2, 0.1)) == [trial(1), trial(2)]
    assert await tried(hub, 3, "b") == []
    assert await tried(hub, 4, "a") == []


async def begun(hub: HubClient, run: str, numbers: list[int], times: int = 0, version: int = 3) -> int | None:
    path = f"/v1/models/{MODEL}/trials/{version}/{run * 64}/begun"
    body = msgspec.json.encode(TrialsLeft(numbers=tuple(numbers), begun=times))
    answer = await hub.request("POST", path, body, role=Role.TRAINER)
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=TrialBegun).number


async def test_each_pod_of_a_search_gets_a_trial_that_no_other_has_begun(hub: HubClient) -> None:
    assert [await begun(hub, "a", [1, 2, 3]) for _ in range(4)] == [1, 2, 3, None]
    assert await begun(hub, "b", [1, 2, 3]) == 1, "of another search"
    assert await begun(hub, "a", [1, 2, 3], version=4) == 1, "of another version"
    assert await begun(hub, "a", []) is None


async def test_what_others_do_not_end_is_begun_again_the_least_often_begun_first(hub: HubClient) -> None:
    assert [await begun(hub, "a", [4, 5]) for _ in range(2)] == [4, 5]
    assert [await begun(hub, "a", [4, 5, 6], times=1) for _ in range(4)] == [6, 4, 5, 6]
    assert await begun(hub, "a", [4, 5, 6], times=1) is None
    assert await begun(hub, "a", [5], times=2) == 5


async def test_of_endless_searches_the_hub_remembers_only_so_many() -> None:
    board = TrialBoard()
    left = TrialsLeft(numbers=(1, 2))
    for place in range(KEPT + 1):
        board.begin(("model", place, "run"), left)

    assert board.begin(("model", KEPT, "run"), left) == 2
    assert board.begin(("model", 0, "run"), left) == 1, "it made room"


async def test_trials_of_earlier_versions_go_when_a_later_one_searches(hub: HubClient) -> None:
    await tried(hub, 3, "a", trial(1))
    await tried(hub, 4, "a", trial(1))
    assert await tried(hub, 3, "a") == []
    assert await tried(hub, 4, "a") == [trial(1)]


@pytest.mark.parametrize("path", [f"trials/x/{'a' * 64}", "trials/3/a", f"trials/3/{'A' * 64}"])
async def test_trials_are_named_by_version_and_digest(hub: HubClient, path: str) -> None:
    assert (await hub.request("GET", f"/v1/models/{MODEL}/{path}")).status == 404


@pytest.mark.parametrize("schema", range(1, SCHEMA_VERSION))
async def test_a_volume_of_an_earlier_hub_is_brought_up_to_date_and_keeps_what_it_holds(
    tmp_path: Path, schema: int
) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript(f"{''.join(STEPS[:schema])} PRAGMA user_version = {schema};")
        connection.execute("INSERT INTO models VALUES (1, ?)", (MODEL,))
        old = [(1, seq, 1, f"key{seq}", START, START, "7", seq > 40) for seq in range(1, 61)]
        connection.executemany(
            "INSERT INTO labels (model, seq, version, key, predicted_at, written_at, label, correct) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            old,
        )
        if METRICS not in STEPS[:schema]:  # which makes the table anew, for states of metrics
            connection.execute(
                "INSERT INTO detectors (model, version, threshold, tolerance, false_alarm_every, state) "
                "VALUES (1, 1, 0.92, 0.01, 10000.0, x'00')"
            )
        connection.commit()
    async with running_hub(tmp_path) as hub:
        assert await tried(hub, 3, "a", trial(1)) == [trial(1)]
        quality = await hub.quality()
        recall = await hub.quality(measure=Measure(metric=Metric.RECALL, positive_class="7"))
        await hub.outcomes([True])
        later = await hub.quality()
    assert quality.window is not None
    assert recall.window is not None
    assert quality.window.value == recall.window.value == pytest.approx(1 / 3)
    assert quality.alarm is not None
    assert later.last_seq == 61


async def test_all_looks_at_one_candidate_are_one_use(hub: HubClient) -> None:
    async def look(version: int, after: int, through: int) -> int:
        return await use(hub, version, set="fresh", rows_key="fresh", after=after, through=through)

    assert [await look(2, 0, through) for through in (100, 200, 400)] == [1, 1, 1]
    assert [await look(3, 300, through) for through in (400, 500, 700)] == [2, 2, 2]
    assert await look(2, 0, 200) == 1


async def test_a_report_is_kept_and_that_of_a_retry_replaces_it(hub: HubClient) -> None:
    path = f"/v1/models/{MODEL}/runs/3/train"
    assert (await hub.request("GET", path)).status == 404
    failed: RunReport = FailureReport(reason=FailureReason.DATA_NOT_FOUND, message="no such file")
    trained: RunReport = TrainReport(
        manifest="a" * 64,
        data_sha256="b" * 64,
        rows=10,
        feedback_rows=0,
        window="all",
        validation=None,
        classes=2,
        seconds=1.5,
    )
    for report in (failed, trained):
        body = msgspec.json.encode(report)
        assert (await hub.request("PUT", path, body, role=Role.TRAINER)).status == 200
        kept = (await hub.request("GET", path)).body
        assert msgspec.json.decode(kept, type=RunReport) == report
    assert (await hub.request("GET", f"/v1/models/{MODEL}/runs/3/evaluate")).status == 404


@pytest.mark.parametrize("path", ["runs/x/train", "runs/²/train", "runs/3/serve"])
async def test_reports_have_two_places(hub: HubClient, path: str) -> None:
    assert (await hub.request("GET", f"/v1/models/{MODEL}/{path}")).status == 404


@pytest.mark.parametrize("path", [f"runs/{2**70}/train", f"records?after={2**70}"])
async def test_numbers_have_64_bits(hub: HubClient, path: str) -> None:
    answer = await hub.request("GET", f"/v1/models/{MODEL}/{path}")
    assert answer.status == 400
    assert "64 bits" in answer.error


async def test_lineage_has_each_champion_once_and_the_last_one_last(hub: HubClient) -> None:
    async def numbers() -> list[int]:
        answer = await hub.request("GET", f"/v1/models/{MODEL}/lineage", role=Role.TRAINER)
        return [kept.number for kept in msgspec.json.decode(answer.body, type=Lineage).entries]

    assert await numbers() == []
    for kept in (lineage_entry(1, 10.0), lineage_entry(2, 20.0), lineage_entry(2, 20.0), lineage_entry(1, 5.0)):
        assert (await hub.request("POST", f"/v1/models/{MODEL}/lineage", msgspec.json.encode(kept))).status == 200
    assert await numbers() == [1, 2]
    await hub.request("POST", f"/v1/models/{MODEL}/lineage", msgspec.json.encode(lineage_entry(1, 30.0)))
    assert await numbers() == [2, 1]


async def test_the_report_of_an_evaluation_is_read_with_the_token_that_uploads(hub: HubClient) -> None:
    digests = {}
    for name, content in (("json", b"{}"), ("html", b"<!doctype html>")):
        digests[name] = hashlib.sha256(content).hexdigest()
        await hub.request("PUT", f"/v1/blobs/{digests[name]}", content, role=Role.TRAINER)
    done = EvaluationReport(reference=None, fresh=None, report=ReportDigests(**digests), seconds=1.0)
    await hub.request("PUT", f"/v1/models/{MODEL}/runs/3/evaluate", msgspec.json.encode(done), role=Role.TRAINER)
    base = f"/v1/models/{MODEL}/versions/3"

    data = await hub.request("GET", f"{base}/report", role=Role.UPLOADER, model=ANY_MODEL)
    page = await hub.request("GET", f"{base}/report.html", role=Role.UPLOADER, model=ANY_MODEL)
    assert (data.status, data.body, data.headers["content-type"]) == (200, b"{}", "application/json")
    assert (page.status, page.body, page.headers["content-type"]) == (
        200,
        b"<!doctype html>",
        "text/html; charset=utf-8",
    )
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await hub.request("GET", f"{base}/report", role=Role.SERVER)).status == 403
    assert (await hub.request("GET", f"{base}/report", role=None, model=ANY_MODEL)).status == 401
    for missing in (f"{base}/report.pdf", f"/v1/models/{MODEL}/versions/4/report"):
        assert (await hub.request("GET", missing, role=Role.UPLOADER, model=ANY_MODEL)).status == 404
