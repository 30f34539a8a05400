from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.hub.asgi import MODEL, START, HubClient, running_hub

from evermodel.contract import Alarm, Capture
from evermodel_runtime.hub import figures
from evermodel_runtime.hub.detectors import KEPT
from evermodel_runtime.quality.detector import Detector, DetectorSettings

WATCH: dict[str, Any] = {"threshold": 0.92, "tolerance": 0.01, "false_alarm_every": 10_000.0}


def falling(right_before: int, after: int, accuracy: float) -> list[bool]:
    chance = random.Random(7)
    return [chance.random() < 0.97 for _ in range(right_before)] + [chance.random() < accuracy for _ in range(after)]


def crossing(outcomes: list[bool]) -> tuple[int, float, int]:
    """Ledger number, value and samples that the detector alone finds."""
    detector = Detector(DetectorSettings(**WATCH))
    detector.replay(enumerate(outcomes, 1))
    assert detector.crossing is not None
    found = detector.crossing
    return found.seq, 1 - found.wrong / found.samples, found.samples


async def test_nothing_is_known_of_a_version_without_labels(hub: HubClient) -> None:
    quality = await hub.quality()
    assert (quality.window, quality.coverage, quality.alarm) == (None, None, None)
    assert (quality.predictions, quality.labels, quality.last_seq, quality.records) == (0, 0, 0, 0)
    assert quality.as_of == START


@pytest.mark.parametrize("read_every", [1, 100, 3000], ids="read every {}".format)
@pytest.mark.parametrize("batch", [1, 1000], ids="sent {} at once".format)
async def test_the_alarm_is_the_same_however_labels_come_and_are_read(
    tmp_path: Path, read_every: int, batch: int
) -> None:
    outcomes = falling(400, 400, 0.7)
    expected = crossing(outcomes)
    async with running_hub(tmp_path) as hub:
        for start in range(0, len(outcomes), batch):
            await hub.outcomes(outcomes[start : start + batch])
            if (start + batch) % read_every == 0:
                await hub.quality()
        alarm = (await hub.quality()).alarm
    assert alarm is not None
    assert (alarm.seq, alarm.value, alarm.samples) == expected


async def test_an_alarm_says_when_and_stays(hub: HubClient) -> None:
    await hub.quality()
    await hub.outcomes([True] * 50)
    hub.clock.now = START + 60
    await hub.outcomes([False] * 50)
    first = (await hub.quality()).alarm
    hub.clock.now = START + 120
    await hub.outcomes([True] * 500)
    assert first is not None
    assert first == Alarm(seq=first.seq, at=START + 60, value=0.0, samples=first.seq - 50, changed_after=50)
    assert (await hub.quality()).alarm == first


async def test_a_new_threshold_replays_the_stored_outcomes(hub: HubClient) -> None:
    outcomes = falling(300, 300, 0.85)
    await hub.quality()
    await hub.outcomes(outcomes)
    lower = await hub.quality(threshold=0.7)
    assert lower.alarm is None
    higher = await hub.quality(threshold=0.99)
    assert higher.alarm is not None
    alone = Detector(DetectorSettings(threshold=0.99, tolerance=0.01, false_alarm_every=10_000.0))
    alone.replay(enumerate(outcomes, 1))
    assert alone.crossing is not None
    assert higher.alarm.seq == alone.crossing.seq


async def test_each_version_is_watched_by_itself(hub: HubClient) -> None:
    await hub.quality(version=1)
    await hub.quality(version=2)
    await hub.outcomes([False] * 100, version=1)
    await hub.outcomes([True] * 100, version=2)
    assert (await hub.quality(version=1)).alarm is not None
    assert (await hub.quality(version=2)).alarm is None


async def test_a_detector_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    outcomes = falling(300, 300, 0.7)
    async with running_hub(tmp_path) as hub:
        await hub.quality()
        await hub.outcomes(outcomes[:350])
    async with running_hub(tmp_path) as hub:
        hub.nonce = 350
        await hub.outcomes(outcomes[350:])
        alarm = (await hub.quality()).alarm
    assert alarm is not None
    assert (alarm.seq, alarm.value, alarm.samples) == crossing(outcomes)


@pytest.mark.parametrize("others", [0, 3], ids="{} labels of another version between".format)
async def test_an_alarm_says_where_the_fall_began_after_restarts_too(tmp_path: Path, others: int) -> None:
    outcomes = [True] * 200 + falling(0, 100, 0.5)
    async with running_hub(tmp_path) as hub:
        await hub.quality()
        for correct in outcomes:
            await hub.outcomes([False] * others, version=9)
            await hub.outcomes([correct])
        first = (await hub.quality()).alarm
    async with running_hub(tmp_path) as hub:
        hub.nonce = len(outcomes) * (others + 1)
        again = (await hub.quality()).alarm
        await hub.outcomes([True] * 500)
        later = (await hub.quality()).alarm
    assert first is not None
    assert first == again == later
    first_wrong = outcomes.index(False) * (others + 1) + others + 1
    assert abs(first.changed_after - first_wrong) <= 10 * (others + 1)


async def test_a_long_shortfall_is_read_back_so_far_and_no_farther(
    hub: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "LONGEST_SHORTFALL", 20)
    await hub.quality()
    await hub.outcomes(falling(0, 400, 0.6))
    alarm = (await hub.quality()).alarm
    assert alarm is not None
    assert alarm.samples > 20
    assert alarm.seq - alarm.changed_after <= 20


async def test_old_thresholds_make_room_and_come_back_the_same(hub: HubClient) -> None:
    await hub.outcomes(falling(100, 300, 0.6))
    first = await hub.quality()
    for step in range(KEPT + 1):
        await hub.quality(threshold=0.5 + step / 100)
    assert (await hub.quality()).alarm == first.alarm
    assert first.alarm is not None


async def test_the_window_goes_by_the_time_of_the_prediction(hub: HubClient) -> None:
    old = [(hub.prediction("7", at=START - 100), 8) for _ in range(10)]
    new = [(hub.prediction("7", at=START - 5), 7) for _ in range(10)]
    await hub.label(*new)
    await hub.label(*old)
    newest = (await hub.quality(window=10)).window
    assert newest is not None
    assert (newest.value, newest.samples) == (1.0, 10)
    matured = (await hub.quality(window=10, label_delay=50.0)).window
    assert matured is not None
    assert (matured.value, matured.samples) == (0.0, 10)
    assert matured.lower == 0.0
    assert 0.27 < matured.upper < 0.28


async def test_coverage_is_the_share_of_predictions_that_are_labelled(hub: HubClient) -> None:
    await hub.beat(30, pod="a")
    await hub.beat(10, pod="b")
    await hub.outcomes([True] * 10)
    assert (await hub.quality()).coverage == 0.25


async def test_coverage_leaves_out_predictions_too_young_for_a_label(hub: HubClient) -> None:
    await hub.beat(40)
    await hub.outcomes([True] * 30, at=START)
    hub.clock.now = START + 100
    await hub.beat(140)
    await hub.outcomes([True] * 2, at=START + 95)
    assert (await hub.quality(label_delay=50.0)).coverage == 0.75
    assert (await hub.quality()).coverage == pytest.approx(32 / 140)
    assert (await hub.quality(label_delay=500.0)).coverage is None


async def test_a_repeated_heartbeat_counts_nothing_twice(hub: HubClient) -> None:
    await hub.beat(10, errors=1)
    await hub.beat(10, errors=1)
    await hub.beat(7)
    await hub.beat(12)
    await hub.beat(5, pod="pod-2")
    assert (await hub.quality()).predictions == 17


async def test_records_counted_are_those_asked_for(hub: HubClient) -> None:
    predictions = [hub.prediction("7", at=START - 10 + number) for number in range(6)]
    await hub.beat(6, *[Capture(id=prediction, row=(1,)) for prediction in predictions])
    await hub.label(*[(prediction, 7) for prediction in predictions])
    await hub.outcomes([True])
    quality = await hub.quality(records_after=1, predicted_after=START - 7.0)
    assert (quality.records, quality.records_counted) == (6, 2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"threshold": 1.2}, "must lie in", id="above 1"),
        pytest.param({"threshold": 0.01}, "must lie in", id="too low to detect"),
        pytest.param({"tolerance": -0.1}, "must not be negative", id="a negative tolerance"),
        pytest.param({"falseAlarmEvery": 0.0}, "at least 1", id="alarms at once"),
        pytest.param({"window": 0}, "at least 1", id="an empty window"),
    ],
)
async def test_a_question_without_sense_is_refused(hub: HubClient, changes: dict[str, Any], says: str) -> None:
    question = {"version": 1, "threshold": 0.9, "tolerance": 0.01, "falseAlarmEvery": 1000.0, "window": 100, **changes}
    answer = await hub.request("POST", f"/v1/models/{MODEL}/quality", msgspec.json.encode(question))
    assert answer.status == 400
    assert says in answer.error
