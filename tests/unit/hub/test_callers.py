"""Labels and erasing by what callers call their rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.hub.asgi import MODEL, START, HubClient, running_hub
from tests.unit.hub.test_captures import values
from tests.unit.hub.test_erasing import erase, holds

from evermodel.contract import CallerIds, Capture, CaptureRules, LabelResult, LabelStatus
from evermodel_runtime.hub.callers import MOST_REPEATS
from evermodel_runtime.hub.schema import CALLERS, STEPS
from evermodel_runtime.hub.volume import DATABASE

ACCEPT = CaptureRules(caller_ids=CallerIds.ACCEPT)
ORDER = "order-4711/ä"


def called(
    hub: HubClient, caller: str, *, value: int = 1, predicted: str = "7", version: int = 1, age: float = 0.0
) -> Capture:
    """Capture a prediction that its caller has a name for."""
    prediction = hub.prediction(predicted, version=version, at=hub.clock.now - age)
    return Capture(id=prediction, row=(value,), caller=caller)


async def told(hub: HubClient, *ids: str) -> list[LabelResult]:
    return list((await hub.label(*[(one, 7) for one in ids])).results)


async def test_a_label_by_the_callers_id_counts_for_the_version_that_predicted(hub: HubClient) -> None:
    row = called(hub, ORDER, predicted="8", version=3)
    await hub.beat(1, row, called(hub, "other"), version=3, rules=ACCEPT)
    hub.clock.now += 24 * 3600.0

    (result,) = await told(hub, ORDER)

    assert (result.id, result.status) == (ORDER, LabelStatus.ACCEPTED)
    quality = await hub.quality(version=3)
    assert quality.window is not None
    assert (quality.labels, quality.records, quality.window.value) == (1, 1, 0.0)


async def test_one_prediction_has_one_label_by_whatever_id(hub: HubClient) -> None:
    first, second = called(hub, "a"), called(hub, "b")
    await hub.beat(2, first, second, rules=ACCEPT)

    results = await told(hub, "a", "a", first.id, second.id, "b")

    assert [result.status for result in results] == [
        LabelStatus.ACCEPTED,
        LabelStatus.DUPLICATE,
        LabelStatus.DUPLICATE,
        LabelStatus.ACCEPTED,
        LabelStatus.DUPLICATE,
    ]
    assert [result.id for result in results] == ["a", "a", first.id, second.id, "b"]
    assert (await hub.quality()).labels == 2


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        pytest.param([(1, 1), (1, 1)], LabelStatus.ACCEPTED, id="the same row asked again"),
        pytest.param([(1, 1), (2, 1)], LabelStatus.AMBIGUOUS, id="two rows"),
        pytest.param([(1, 1), (1, 2)], LabelStatus.AMBIGUOUS, id="two versions"),
        pytest.param([(1, 1)] * MOST_REPEATS, LabelStatus.ACCEPTED, id="as often as anybody may"),
        pytest.param([(1, 1)] * (MOST_REPEATS + 1), LabelStatus.AMBIGUOUS, id="an id of all requests"),
        pytest.param([], LabelStatus.UNKNOWN, id="no row"),
    ],
)
async def test_an_id_of_several_predictions_is_refused_unless_they_are_one(
    hub: HubClient, rows: list[tuple[int, int]], status: LabelStatus
) -> None:
    others = [called(hub, f"other {place}") for place in range(300)]
    await hub.beat(
        1, *others, *[called(hub, ORDER, value=value, version=version) for value, version in rows], rules=ACCEPT
    )

    results = await told(hub, ORDER, *[str(other.caller) for other in others], ORDER)

    again = LabelStatus.DUPLICATE if status is LabelStatus.ACCEPTED else status
    assert [results[0].status, results[-1].status] == [status, again]
    assert {result.status for result in results[1:-1]} == {LabelStatus.ACCEPTED}
    assert results[0].message or status is LabelStatus.ACCEPTED
    assert (await told(hub, ORDER))[0].status is again


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        pytest.param(["7", "7"], LabelStatus.ACCEPTED, id="one answer"),
        pytest.param(["7", "8"], LabelStatus.AMBIGUOUS, id="two answers"),
    ],
)
async def test_rows_that_lack_what_is_withheld_are_told_apart_by_their_answers(
    hub: HubClient, answers: list[str], status: LabelStatus
) -> None:
    rules = CaptureRules(drop=("age",), caller_ids=CallerIds.ACCEPT)
    await hub.beat(2, *[called(hub, ORDER, predicted=predicted) for predicted in answers], rules=rules)
    assert (await told(hub, ORDER))[0].status is status


async def test_an_id_that_is_used_again_after_its_label_counts_no_second_time(hub: HubClient) -> None:
    await hub.beat(1, called(hub, ORDER), rules=ACCEPT)
    first = await told(hub, ORDER)
    await hub.beat(2, called(hub, ORDER, value=2), rules=ACCEPT)
    again = await told(hub, ORDER)
    assert [result.status for result in (*first, *again)] == [LabelStatus.ACCEPTED, LabelStatus.AMBIGUOUS]
    assert (await hub.quality()).labels == 1


@pytest.mark.parametrize(
    "rules",
    [CaptureRules(caller_ids=CallerIds.IGNORE), CaptureRules(), None],
    ids=["ignored", "nothing said of them", "nothing said"],
)
async def test_where_they_are_not_accepted_such_ids_are_forged_and_erase_nothing(
    hub: HubClient, rules: CaptureRules | None
) -> None:
    await hub.beat(1, called(hub, ORDER), rules=rules)
    assert (await told(hub, ORDER))[0].status is LabelStatus.FORGED
    assert await erase(hub, ORDER) == (404, None)
    assert await values(hub) == [1]


async def test_what_pods_said_last_holds_beside_older_images_that_know_no_such_ids(hub: HubClient) -> None:
    await hub.beat(1, called(hub, "a"), called(hub, "b"), rules=ACCEPT)
    await hub.beat(1, pod="of an older image", rules=CaptureRules(max_age=3600.0))
    assert (await told(hub, "a"))[0].status is LabelStatus.ACCEPTED
    await hub.beat(1, rules=CaptureRules(caller_ids=CallerIds.IGNORE))
    await hub.beat(1, pod="of an older image", rules=CaptureRules(max_age=3600.0))
    assert (await told(hub, "b"))[0].status is LabelStatus.FORGED


async def test_an_id_of_another_model_is_not_taken_for_one_of_a_caller(hub: HubClient) -> None:
    foreign = hub.prediction("7", model="other")
    await hub.beat(1, called(hub, foreign), rules=ACCEPT)
    assert (await told(hub, foreign))[0].status is LabelStatus.FOREIGN
    assert (await erase(hub, foreign))[0] == 404


async def test_a_caller_cannot_take_over_the_id_of_a_prediction(hub: HubClient) -> None:
    victim = hub.prediction("7")
    await hub.beat(1, called(hub, victim, value=5, version=2), rules=ACCEPT)
    assert (await told(hub, victim))[0].status is LabelStatus.ACCEPTED
    assert ((await hub.quality(version=1)).labels, (await hub.quality(version=2)).labels) == (1, 0)


async def test_rows_are_erased_by_the_callers_id_and_those_that_come_late_too(hub: HubClient) -> None:
    late = called(hub, ORDER, value=2)
    await hub.beat(3, called(hub, ORDER), called(hub, ORDER, value=3), called(hub, "b", value=4), rules=ACCEPT)
    hub.clock.now += 5

    assert await erase(hub, ORDER) == (200, 2)

    hub.clock.now += 5
    await hub.beat(5, late, called(hub, ORDER, value=6), rules=ACCEPT)
    assert await values(hub) == [4, 6], "what was predicted later is another row"
    assert await erase(hub, "never heard of") == (200, 0)


async def test_a_volume_of_a_hub_without_such_ids_keeps_its_rows_and_takes_them_from_then_on(tmp_path: Path) -> None:
    before = STEPS.index(CALLERS)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript(f"{''.join(STEPS[:before])} PRAGMA user_version = {before};")
        connection.execute("INSERT INTO models VALUES (1, ?)", (MODEL,))
        connection.execute("INSERT INTO capture_rules (model, max_age, max_records) VALUES (1, 3600, 500)")
        connection.executemany(
            "INSERT INTO captures (model, key, predicted_at, row, version) VALUES (1, ?, ?, ?, 1)",
            [(f"key{value}", START, f"[{value}]") for value in range(300)],
        )
        connection.commit()
    async with running_hub(tmp_path) as hub:
        assert await values(hub) == [*range(300)]
        assert (await told(hub, ORDER))[0].status is LabelStatus.FORGED, "nobody has said that they are accepted"
        await hub.beat(1, called(hub, ORDER, value=300), rules=ACCEPT)
        assert await values(hub) == [*range(301)]
        assert (await told(hub, ORDER))[0].status is LabelStatus.ACCEPTED
        assert await erase(hub, ORDER) == (200, 1)
        assert await values(hub) == [*range(300)]


async def test_no_file_ever_holds_an_id_of_a_caller(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        row = called(hub, "order-4711")
        await hub.beat(1, row, rules=ACCEPT)
        await told(hub, "order-4711", "order-4712")
        await erase(hub, "order-4712")
        assert holds(tmp_path, row.id)
        assert not holds(tmp_path, "order-471")
        await erase(hub, "order-4711")
        assert not holds(tmp_path, row.id)
