"""Rows that are erased by id are gone, from every file, and do not come back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.unit.hub.asgi import MODEL, HubClient, running_hub
from tests.unit.hub.test_captures import made, metrics, values

from evermodel.contract import Capture, CaptureRules, Erased, Erasure
from evermodel.tokens import Role
from evermodel_runtime.hub import erasing
from evermodel_runtime.hub.schema import open_for_reading

SECRET = "Timbuktu-4711"


async def erase(hub: HubClient, record_id: str) -> tuple[int, int | None]:
    """Return the status, and how many rows there were."""
    body = msgspec.json.encode(Erasure(id=record_id))
    answer = await hub.request("POST", f"/v1/models/{MODEL}/erasures", body, role=Role.SERVER)
    return answer.status, msgspec.json.decode(answer.body, type=Erased).rows if answer.status == 200 else None


def holds(folder: Path, text: str) -> list[str]:
    """Return the files of a folder in whose bytes a text is."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def test_an_erased_row_is_gone_and_a_second_time_there_is_nothing_to_erase(hub: HubClient) -> None:
    kept, gone = made(hub, 1), made(hub, 2)
    await hub.beat(2, kept, gone)

    assert await erase(hub, gone.id) == (200, 1)
    assert await values(hub) == [1]
    assert await erase(hub, gone.id) == (200, 0)
    assert 'evermodel_hub_captures_erased_total{model="digits"} 1.0' in await metrics(hub)


async def test_an_erased_row_does_not_come_back_and_its_label_counts(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        late, other = made(hub, 1), made(hub, 2)
        assert await erase(hub, late.id) == (200, 0)
    async with running_hub(tmp_path) as hub:
        await hub.beat(2, late, other)
        assert await values(hub) == [2]
        assert (await hub.label((late.id, 7))).accepted == 1
        assert (await hub.quality()).labels == 1


@pytest.mark.parametrize("size", [20, 3_000, 40_000], ids=["a cell", "most of a page", "pages of its own"])
async def test_the_bytes_of_an_erased_row_are_in_no_file_when_it_is_answered(tmp_path: Path, size: int) -> None:
    async with running_hub(tmp_path) as hub:
        rows = [Capture(id=hub.prediction("7"), row=(f"{SECRET}-{place}-" + "x" * size,)) for place in range(9)]
        await hub.beat(9, *rows)
        await hub.label(*[(row.id, 7) for row in rows])  # each row is written a second time
        assert holds(tmp_path, f"{SECRET}-4-")

        assert await erase(hub, rows[4].id) == (200, 1)

        assert not holds(tmp_path, f"{SECRET}-4-")
        assert holds(tmp_path, f"{SECRET}-5-"), "the others are where this one was"


async def test_where_a_long_read_is_in_the_way_the_bytes_go_after_it(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        row = Capture(id=hub.prediction("7"), row=(SECRET,))
        await hub.beat(1, row)
        with closing(open_for_reading(tmp_path)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM captures").fetchone() == (1,)
            assert await erase(hub, row.id) == (200, 1)
            assert await values(hub) == []
            assert holds(tmp_path, SECRET)
        await hub.hub.retention.sweep()
        assert not holds(tmp_path, SECRET)


async def test_the_bytes_of_rows_that_were_too_old_are_in_no_file(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        old, new = made(hub, 0, age=7200), made(hub, 0)
        rows = [msgspec.structs.replace(row, row=(f"{SECRET}-{place}",)) for place, row in enumerate((old, new))]
        await hub.beat(2, *rows, rules=CaptureRules(max_age=3600.0))
        await hub.hub.retention.sweep()
        assert not holds(tmp_path, f"{SECRET}-0")
        assert holds(tmp_path, f"{SECRET}-1")


@pytest.mark.parametrize("kind", ["malformed", "of another model", "tampered with"])
async def test_an_id_that_is_none_of_the_models_is_not_found(hub: HubClient, kind: str) -> None:
    row = made(hub, 1)
    await hub.beat(1, row)
    ids = {
        "malformed": "nonsense",
        "of another model": hub.prediction("7", model="other"),
        "tampered with": row.id[:-4] + "AAAA",
    }

    assert await erase(hub, ids[kind]) == (404, None)
    assert await values(hub) == [1]


async def test_what_is_remembered_of_erased_rows_is_bounded(hub: HubClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "MOST_REMEMBERED", 3)
    rows = [made(hub, place) for place in range(6)]
    for row in rows[:5]:
        hub.clock.now += 1
        await erase(hub, row.id)
    await hub.hub.retention.sweep()
    await hub.beat(6, *rows)
    assert await values(hub) == [0, 1, 5], "the newest three are remembered"

    hub.clock.now += erasing.REMEMBERED_FOR + 1
    await hub.hub.retention.sweep()
    await hub.beat(6, *rows)
    assert await values(hub) == [0, 1, 5, 2, 3, 4], "and these for a week"
