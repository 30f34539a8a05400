"""What the hub keeps of captured rows: how many, how long, and for whom."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.unit.hub.asgi import MODEL, START, HubClient, running_hub

from evermodel.contract import Capture, CapturedRow, CapturedRows, CaptureRules, LabelledRecords
from evermodel.tokens import Role
from evermodel_runtime.hub.retention import ROWS_AT_ONCE

HOUR = 3600.0


async def captured(hub: HubClient, query: str = "") -> CapturedRows:
    """Fetch as docs/operations.md says."""
    path = f"/v1/models/{MODEL}/captures?{query}"
    answer = await hub.request("GET", path, role=Role.UPLOADER, model="*")
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=CapturedRows)


async def values(hub: HubClient) -> list[object]:
    """Return the first value of each row that is held."""
    return [row.row[0] for row in (await captured(hub, "limit=10000")).captures]


async def metrics(hub: HubClient) -> str:
    return (await hub.request("GET", "/metrics", role=None)).body.decode()


def made(hub: HubClient, value: int, *, age: float = 0.0) -> Capture:
    """Capture a prediction that was made so long ago."""
    return Capture(id=hub.prediction("7", at=hub.clock.now - age), row=(value,))


async def test_rows_are_deleted_when_they_are_too_old_whenever_they_came(hub: HubClient) -> None:
    ages = [0.0, 3 * HOUR, 1 * HOUR, 2.5 * HOUR]
    rows = [made(hub, place, age=age) for place, age in enumerate(ages)]
    await hub.beat(4, *rows, rules=CaptureRules(max_age=2 * HOUR))

    await hub.hub.retention.sweep()
    assert await values(hub) == [0, 2]
    hub.clock.now += 1.5 * HOUR
    await hub.hub.retention.sweep()
    assert await values(hub) == [0]
    assert 'evermodel_hub_captures_aged_total{model="digits"} 3.0' in await metrics(hub)


async def test_what_pods_said_last_holds_after_a_restart_without_pods(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        await hub.beat(1, made(hub, 1), rules=CaptureRules(max_age=HOUR))
        await hub.beat(1)  # a pod that captures nothing says nothing of it
    async with running_hub(tmp_path) as hub:
        hub.clock.now += 2 * HOUR
        await hub.hub.retention.sweep()
        assert await values(hub) == []


async def test_without_an_age_rows_stay(hub: HubClient) -> None:
    await hub.beat(1, made(hub, 1), rules=CaptureRules(max_age=HOUR))
    await hub.beat(1, rules=CaptureRules())
    hub.clock.now += 1000 * HOUR
    await hub.hub.retention.sweep()
    assert await values(hub) == [1]


async def test_of_too_many_rows_the_oldest_predictions_go(hub: HubClient) -> None:
    rows = [made(hub, place, age=age) for place, age in enumerate([0, 50, 20, 40, 30])]
    await hub.beat(5, *rows, rules=CaptureRules(max_records=2))
    assert await values(hub) == [0, 2]
    assert 'evermodel_hub_captures_dropped_total{model="digits"} 3.0' in await metrics(hub)


async def test_a_lower_number_is_reached_in_steps_that_labels_need_not_wait_for(hub: HubClient) -> None:
    count = 2 * ROWS_AT_ONCE + 50
    await hub.beat(1, *[made(hub, place, age=count - place) for place in range(count)])
    await hub.beat(1, made(hub, count), rules=CaptureRules(max_records=100))
    assert len(await values(hub)) > 2 * ROWS_AT_ONCE, "a heartbeat deletes no more than it brings"

    await hub.hub.retention.sweep()

    assert await values(hub) == list(range(count - 99, count + 1))
    assert f'evermodel_hub_captures_dropped_total{{model="digits"}} {count - 99}.0' in await metrics(hub)


async def test_no_model_keeps_more_than_the_hub_does(tmp_path: Path) -> None:
    async with running_hub(tmp_path, captures_kept=3) as hub:
        await hub.beat(1, *[made(hub, place, age=9 - place) for place in range(9)], rules=CaptureRules(max_records=8))
        await hub.hub.retention.sweep()
        assert await values(hub) == [6, 7, 8]


@pytest.mark.parametrize(
    ("rules", "learnt"),
    [
        pytest.param(CaptureRules(max_age=HOUR), True, id="whole rows"),
        pytest.param(CaptureRules(drop=("city",)), False, id="a column was dropped"),
        pytest.param(CaptureRules(hash=("city",)), False, id="a column was hashed"),
    ],
)
async def test_rows_that_lack_something_are_for_people_and_no_records(
    hub: HubClient, rules: CaptureRules, *, learnt: bool
) -> None:
    labelled, other = made(hub, 1), made(hub, 2)
    await hub.beat(2, labelled, other, rules=rules)
    await hub.label((labelled.id, 8))

    assert [(row.row, row.version, row.label, row.withheld) for row in (await captured(hub)).captures] == [
        ((1,), 1, "8", rules.withheld),
        ((2,), 1, None, rules.withheld),
    ]
    answer = await hub.request("GET", f"/v1/models/{MODEL}/records", role=Role.TRAINER)
    assert len(msgspec.json.decode(answer.body, type=LabelledRecords).records) == learnt
    quality = await hub.quality()
    assert (quality.labels, quality.records, quality.records_counted) == (1, learnt, learnt)
    assert f"evermodel_hub_records {float(learnt)}" in await metrics(hub)


async def test_captures_come_in_pages(hub: HubClient) -> None:
    await hub.beat(5, *[made(hub, place) for place in range(5)])
    seen: list[CapturedRow] = []
    page = await captured(hub, "limit=2")
    seen += page.captures
    while page.more:
        page = await captured(hub, f"limit=2&after={page.through}")
        seen += page.captures
    assert [row.row for row in seen] == [(0,), (1,), (2,), (3,), (4,)]
    assert seen[0].predicted_at == START
    assert (await captured(hub, f"after={page.through}")).captures == ()


@pytest.mark.parametrize(("role", "status"), [(Role.UPLOADER, 200), (Role.SERVER, 403), (Role.TRAINER, 403)])
async def test_captures_are_for_the_token_of_people(hub: HubClient, role: Role, status: int) -> None:
    answer = await hub.request("GET", f"/v1/models/{MODEL}/captures", role=role)
    assert answer.status == status
