"""Bins of pods, added up by time, and what the hub makes of them."""

from __future__ import annotations

import hashlib
import sqlite3
from array import array
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.hub.asgi import MODEL, Answer, HubClient, running_hub

from evermodel.contract import (
    BinCounts,
    Bins,
    ColumnKind,
    DataProblemKind,
    Drift,
    DriftQuery,
    Heartbeat,
    Quality,
    Reference,
)
from evermodel.tokens import ANY_MODEL, Role
from evermodel_runtime.hub.bins import HOUR, LARGEST, MINUTE, total
from evermodel_runtime.hub.volume import DATABASE

AGE = Bins(name="age", kind=ColumnKind.NUMBER, counts=(500, 500), edges=(40.0,), lowest=18.0, highest=99.0)
CITY = Bins(name="city", kind=ColumnKind.TEXT, counts=(700, 300, 0), categories=("Oslo", "Rome"), complete=True)
ANSWER = Bins(name="prediction", kind=ColumnKind.TEXT, counts=(900, 100, 0), categories=("no", "yes"), complete=True)
REFERENCE = Reference(features=(AGE, CITY), prediction=ANSWER)
BODY = msgspec.json.encode(REFERENCE)
DIGEST = hashlib.sha256(BODY).hexdigest()
AT_REST = (500, 500, 0, 0, 700, 300, 0, 0, 0, 900, 100, 0, 0, 0)
"""A thousand rows as those learnt from: bins of age, missing, outside; of city; of the answers."""
OLDER = (100, 900, 0, 0, 700, 300, 0, 0, 0, 900, 100, 0, 0, 0)
MISSING = (300, 300, 400, 0, 700, 300, 0, 0, 0, 900, 100, 0, 0, 0)
NEW_CITY = (500, 500, 0, 0, 630, 270, 100, 0, 100, 900, 100, 0, 0, 0)
BEYOND = (500, 500, 0, 200, 700, 300, 0, 0, 0, 900, 100, 0, 0, 0)
OTHER_ANSWERS = (500, 500, 0, 0, 700, 300, 0, 0, 0, 500, 500, 0, 0, 0)


class Pods:
    """Counts as pods tell them: totals since their start."""

    def __init__(self, hub: HubClient) -> None:
        self.hub = hub
        self.totals: dict[str, tuple[int, ...]] = {}
        self.requests: dict[str, tuple[int, int]] = {}

    async def publish(self) -> None:
        answer = await self.hub.request("PUT", f"/v1/blobs/{DIGEST}", BODY, role=Role.TRAINER)
        assert answer.status in {200, 201}

    async def saw(self, counts: Sequence[int], *, pod: str = "pod-1", requests: int = 100, refused: int = 0) -> None:
        known = self.totals.get(pod, (0,) * len(counts))
        self.totals[pod] = tuple(old + new for old, new in zip(known, counts, strict=True))
        asked, turned_away = self.requests.get(pod, (0, 0))
        self.requests[pod] = (asked + requests, turned_away + refused)
        await self.tell(pod)

    async def tell(self, pod: str = "pod-1", **changes: Any) -> None:
        requests, refused = self.requests[pod]
        bins = BinCounts(
            **{
                "reference": DIGEST,
                "requests": requests,
                "refused": refused,
                "counts": self.totals[pod],
                **changes,
            }
        )
        body = msgspec.json.encode(Heartbeat(pod=pod, version=1, predictions=0, bins=bins))
        answer = await self.hub.request("POST", f"/v1/models/{MODEL}/heartbeat", body, role=Role.SERVER)
        assert answer.status == 200, answer.body

    async def saw_hours(self, *windows: Sequence[int]) -> None:
        """See one window of an hour after the other, and be at the end of the last."""
        for counts in windows:
            await self.saw([0] * len(counts), requests=1)  # an hour begins
            self.hub.clock.now += HOUR - MINUTE
            await self.saw(counts)
            self.hub.clock.now += MINUTE

    async def ask(self, query: str = f"window={HOUR}&minSamples=1000", **how: Any) -> Answer:
        return await self.hub.request("GET", f"/v1/models/{MODEL}/drift?version=1&{query}", **how)

    async def drift(self, query: str = f"window={HOUR}&minSamples=1000") -> Drift:
        answer = await self.ask(query)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body, type=Drift)


@pytest.fixture
async def pods(hub: HubClient) -> Pods:
    hub.clock.now = float(int(hub.clock.now // HOUR) * HOUR)
    pods = Pods(hub)
    await pods.publish()
    return pods


@pytest.mark.parametrize(
    ("windows", "drifted", "prediction"),
    [
        pytest.param([AT_REST, AT_REST], [], False, id="a world at rest"),
        pytest.param([AT_REST, OLDER], [], False, id="one window is no drift"),
        pytest.param([OLDER, AT_REST], [], False, id="drift that has gone"),
        pytest.param([OLDER, OLDER], ["age"], False, id="two windows of another age"),
        pytest.param([OTHER_ANSWERS, OTHER_ANSWERS], [], True, id="other answers to like rows"),
        pytest.param([MISSING, MISSING], [], False, id="missing values are no drift"),
    ],
)
async def test_drift_is_two_windows_of_other_shares(
    pods: Pods, windows: list[tuple[int, ...]], drifted: list[str], *, prediction: bool
) -> None:
    await pods.saw_hours(*windows)
    drift = await pods.drift()
    assert [column.name for column in drift.features if column.drifted] == drifted
    assert (drift.judged, drift.prediction.drifted, drift.drifted) == (True, prediction, len(drifted) + prediction)
    assert (drift.rows, drift.as_of - drift.since) == (1000, HOUR)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param(AT_REST, [], id="a world at rest"),
        pytest.param(MISSING, [(DataProblemKind.MISSING, "age", 0.4)], id="a jump in missing values"),
        pytest.param(NEW_CITY, [(DataProblemKind.OUTSIDE, "city", 0.1)], id="a category that training never had"),
        pytest.param(BEYOND, [(DataProblemKind.OUTSIDE, "age", 0.2)], id="numbers beyond the range"),
    ],
)
async def test_problems_of_the_data_show_in_one_window(
    pods: Pods, counts: tuple[int, ...], expected: list[tuple[DataProblemKind, str, float]]
) -> None:
    await pods.saw_hours(counts)
    drift = await pods.drift()
    assert [(problem.kind, problem.column, problem.share) for problem in drift.problems] == expected
    assert not drift.judged


async def test_requests_that_were_refused_are_a_problem(pods: Pods) -> None:
    await pods.saw(AT_REST, requests=400, refused=100)
    pods.hub.clock.now += HOUR
    await pods.saw(AT_REST, requests=400, refused=100)
    (problem,) = (await pods.drift()).problems
    assert (problem.kind, problem.share) == (DataProblemKind.REFUSED, 0.2)


async def test_features_come_by_how_far_they_moved_with_histograms(pods: Pods) -> None:
    both = (*AT_REST[:2], 0, 0, 300, 700, 0, 0, 0, *AT_REST[9:])
    await pods.saw_hours(both, both)
    drift = await pods.drift()
    assert [column.name for column in drift.features] == ["city", "age"]
    histogram = drift.features[0].histogram
    assert histogram is not None
    assert dict(zip(histogram.bins, zip(histogram.reference, histogram.window, strict=True), strict=True)) == {
        "Oslo": (0.7, 0.3),
        "Rome": (0.3, 0.7),
        "others": (0.0, 0.0),
    }
    assert drift.features[1].histogram is not None
    assert drift.features[1].histogram.bins == ("≤ 40", "> 40")


async def test_totals_that_are_told_twice_count_once_and_pods_add_up(pods: Pods) -> None:
    await pods.saw(AT_REST)
    await pods.tell()
    await pods.saw(OLDER, pod="pod-2")
    await pods.tell("pod-2")
    drift = await pods.drift(f"window={MINUTE}&minSamples=1")
    (age,) = [column for column in drift.features if column.name == "age"]
    assert drift.rows == 2000
    assert age.histogram is not None
    assert age.histogram.window == (0.3, 0.7)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"reference": "0" * 64}, id="over a reference that the hub lacks"),
        pytest.param({"reference": "../../etc/passwd"}, id="over no digest"),
        pytest.param({"counts": AT_REST[:-1]}, id="over other bins"),
        pytest.param({"counts": (-1, *AT_REST[1:])}, id="below nothing"),
        pytest.param({"counts": (2**62, *AT_REST[1:])}, id="beyond what can be added"),
        pytest.param({"refused": 2**70}, id="beyond 64 bits"),
    ],
)
async def test_counts_that_say_nothing_are_left_out_and_the_heartbeat_counts(
    pods: Pods, changes: dict[str, Any]
) -> None:
    pods.totals["pod-1"], pods.requests["pod-1"] = AT_REST, (1, 0)
    await pods.tell(**changes)
    assert (await pods.ask()).status == 404


async def test_a_window_with_too_few_rows_reaches_further_back(pods: Pods) -> None:
    for _ in range(6):
        await pods.saw(tuple(count // 5 for count in AT_REST))
        pods.hub.clock.now += HOUR
    drift = await pods.drift()
    assert (drift.rows, drift.judged) == (1000, False)
    assert drift.as_of - drift.since == 4 * HOUR + MINUTE


async def test_problems_and_figures_show_before_the_first_window_is_whole(pods: Pods) -> None:
    await pods.saw(MISSING)
    drift = await pods.drift(f"window={24 * HOUR}&minSamples=1000")
    assert (drift.judged, drift.drifted) == (False, 0)
    assert [problem.column for problem in drift.problems] == ["age"]
    assert (await pods.ask(f"window={24 * HOUR}&minSamples=1001")).status == 404


async def test_minutes_become_hours_and_nothing_is_lost(pods: Pods, tmp_path: Path) -> None:
    for _ in range(5 * 12):
        await pods.saw(tuple(count // 10 for count in AT_REST))
        pods.hub.clock.now += 5 * MINUTE
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        kept = dict(connection.execute("SELECT seconds, count(*) FROM bins GROUP BY seconds").fetchall())
    assert kept == {HOUR: 2, MINUTE: 3 * 12}
    assert (await pods.drift(f"window={4 * HOUR + 55 * MINUTE}&minSamples=1")).rows == 6000


@given(st.lists(st.lists(st.integers(0, LARGEST), min_size=3, max_size=3), min_size=1, max_size=50))
def test_counts_are_added_each_for_itself(several: list[list[int]]) -> None:
    added = total(array("q", counts).tobytes() for counts in several)
    assert added.tolist() == [sum(column) for column in zip(*several, strict=True)]


async def test_bins_age_out(pods: Pods, tmp_path: Path) -> None:
    await pods.saw(AT_REST)
    pods.hub.clock.now += 36 * 24 * HOUR
    await pods.saw(AT_REST)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        assert connection.execute("SELECT count(*) FROM bins").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM bin_totals").fetchone() == (1,)


async def test_a_hub_that_starts_again_goes_on_counting(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as first:
        pods = Pods(first)
        await pods.publish()
        await pods.saw(AT_REST)
    async with running_hub(tmp_path) as second:
        pods.hub = second
        await pods.saw(AT_REST)
        assert (await pods.drift(f"window={MINUTE}&minSamples=1")).rows == 2000


async def test_the_operator_is_told_in_short_and_prometheus_as_well(pods: Pods) -> None:
    hub = pods.hub
    assert (await hub.quality(drift=DriftQuery())).drift is None
    await pods.saw_hours(OLDER, OLDER)
    quality: Quality = await hub.quality(drift=DriftQuery(window=HOUR, min_samples=1000))
    assert quality.drift is not None
    assert quality.drift.features[0].drifted
    assert quality.drift.features[0].histogram is None
    shown = (await hub.request("GET", "/metrics")).body.decode()
    assert f'evermodel_hub_drift_psi{{column="age",model="{MODEL}",version="1"}} 0.8' in shown
    assert f'evermodel_hub_drifted_columns{{model="{MODEL}"}} 1.0' in shown
    assert f'evermodel_hub_data_problems{{model="{MODEL}"}} 0.0' in shown


async def test_people_read_it_with_a_token_of_the_namespace(pods: Pods) -> None:
    await pods.saw_hours(AT_REST)
    assert (await pods.ask(role=Role.UPLOADER, model=ANY_MODEL)).status == 200
    answer = await pods.hub.request("GET", f"/v1/models/{MODEL}/drift?window={HOUR}")
    assert msgspec.json.decode(answer.body)["version"] == 1


@pytest.mark.parametrize("query", ["window=0", "minSamples=0", "threshold=0", "threshold=nan", "window=x"])
async def test_a_question_that_means_nothing_is_refused(pods: Pods, query: str) -> None:
    assert (await pods.ask(query)).status == 400
