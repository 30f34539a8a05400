"""Errors and metrics of one class: the window for people, the alarm, and labels that are no numbers."""

from __future__ import annotations

import random
from statistics import NormalDist
from typing import Any

import msgspec
import pytest
from tests.unit.hub.asgi import START, HubClient

from evermodel.contract import LabelStatus, Measure, Metric, QualityQuery, Scalar
from evermodel_runtime.quality.wilson import wilson_interval

RMSE, MAE, MAPE = (Measure(metric=metric) for metric in (Metric.RMSE, Metric.MAE, Metric.MAPE))
ERRORS: dict[str, Any] = {"threshold": 2.0, "tolerance": 0.01, "false_alarm_every": 10_000.0}


async def predicted(hub: HubClient, *pairs: tuple[float | str, Scalar], version: int = 1) -> list[LabelStatus]:
    """Predict the first of each pair and send the second as its label."""
    labels = [(hub.prediction(said, version=version), truth) for said, truth in pairs]
    return [result.status for result in (await hub.label(*labels)).results]


def errors(count: int, sigma: float, seed: int = 1) -> list[tuple[float | str, Scalar]]:
    chance = random.Random(seed)
    return [(100.0 + chance.gauss(0, sigma), 100.0) for _ in range(count)]


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        pytest.param(RMSE, (12.5) ** 0.5, id="rmse"),
        pytest.param(MAE, 3.5, id="mae"),
        pytest.param(MAPE, 0.35, id="mape"),
    ],
)
async def test_the_window_is_the_error_over_the_last_labels(hub: HubClient, measure: Measure, value: float) -> None:
    await predicted(hub, *[(13.0, 10), (6.0, 10)] * 50)
    window = (await hub.quality(**ERRORS, measure=measure)).window
    assert window is not None
    assert window.samples == 100
    assert window.value == pytest.approx(value)
    assert 0 < window.lower < window.value < window.upper


async def test_the_interval_of_an_error_is_that_of_a_mean_of_many(hub: HubClient) -> None:
    await predicted(hub, *[(13.0, 10), (6.0, 10)] * 50)
    window = (await hub.quality(**ERRORS, measure=MAE)).window
    assert window is not None
    half = NormalDist().inv_cdf(0.975) * 0.5 / 100**0.5
    assert window.lower == pytest.approx(3.5 - half)
    assert window.upper == pytest.approx(3.5 + half)


@pytest.mark.parametrize("measure", [RMSE, MAE], ids=["rmse", "mae"])
async def test_larger_errors_alarm_and_the_alarm_says_how_large(hub: HubClient, measure: Measure) -> None:
    await hub.quality(**ERRORS, measure=measure)
    await predicted(hub, *errors(300, 1.0))
    assert (await hub.quality(**ERRORS, measure=measure)).alarm is None
    await predicted(hub, *errors(200, 6.0, seed=2))
    watched = await hub.quality(**ERRORS, measure=measure)
    asked_later = await hub.quality(**ERRORS | {"false_alarm_every": 10_001.0}, measure=measure)
    assert watched.alarm is not None
    assert asked_later.alarm is not None
    assert 300 < watched.alarm.seq < 340
    assert 3.0 < watched.alarm.value < 8.0
    assert abs(watched.alarm.changed_after - 300) < 10
    assert asked_later.alarm == watched.alarm


async def test_each_metric_has_a_detector_of_its_own(hub: HubClient) -> None:
    await predicted(hub, *errors(300, 2.4))
    assert (await hub.quality(**ERRORS, measure=RMSE)).alarm is not None
    assert (await hub.quality(**ERRORS, measure=MAE)).alarm is None


@pytest.mark.parametrize(
    ("label", "status"),
    [
        pytest.param(3, LabelStatus.ACCEPTED, id="a whole number"),
        pytest.param("3.25", LabelStatus.ACCEPTED, id="a number as text"),
        pytest.param("dear", LabelStatus.INVALID, id="a word"),
        pytest.param("nan", LabelStatus.INVALID, id="no number"),
        pytest.param(True, LabelStatus.INVALID, id="a boolean"),
        pytest.param(1e39, LabelStatus.INVALID, id="beyond 32 bits"),
    ],
)
async def test_a_label_of_a_number_is_a_number(hub: HubClient, label: Scalar, status: LabelStatus) -> None:
    answer = await hub.label((hub.prediction(3.5), label))
    (result,) = answer.results
    assert result.status is status
    assert ("this model predicts numbers" in result.message) == (status is LabelStatus.INVALID)


FRAUD: list[tuple[float | str, Scalar]] = [
    *[("fraud", "fraud")] * 30,
    *[("fine", "fraud")] * 10,
    *[("fraud", "fine")] * 20,
    *[("fine", "fine")] * 140,
]


@pytest.mark.parametrize(
    ("metric", "hits", "rows"),
    [
        pytest.param(Metric.RECALL, 30, 40, id="recall"),
        pytest.param(Metric.PRECISION, 30, 50, id="precision"),
    ],
)
async def test_the_window_of_one_class_is_over_its_rows(hub: HubClient, metric: Metric, hits: int, rows: int) -> None:
    await predicted(hub, *FRAUD)
    window = (await hub.quality(measure=Measure(metric=metric, positive_class="fraud"))).window
    assert window is not None
    assert (window.value, window.samples) == (hits / rows, rows)
    assert (window.lower, window.upper) == wilson_interval(hits, rows)


async def test_the_window_of_f1_is_f1(hub: HubClient) -> None:
    await predicted(hub, *FRAUD)
    window = (await hub.quality(measure=Measure(metric=Metric.F1, positive_class="fraud"))).window
    assert window is not None
    assert window.value == pytest.approx(2 * 30 / (2 * 30 + 10 + 20))
    assert window.lower < window.value < window.upper


async def test_a_class_that_is_missed_alarms_while_accuracy_hides_it(hub: HubClient) -> None:
    watch = {"threshold": 0.8, "measure": Measure(metric=Metric.RECALL, positive_class="fraud")}
    await hub.quality(**watch)
    await predicted(hub, *([*[("fine", "fine")] * 24, ("fine", "fraud")] * 40))
    recall, accuracy = await hub.quality(**watch), await hub.quality()
    assert recall.alarm is not None
    assert (recall.alarm.value, recall.alarm.samples) == (0.0, recall.alarm.seq // 25)
    assert accuracy.alarm is None


async def test_a_metric_that_cannot_be_watched_is_refused(hub: HubClient) -> None:
    query = QualityQuery(
        version=1,
        threshold=0.9,
        tolerance=0.01,
        false_alarm_every=1000.0,
        window=10,
        measure=Measure(metric=Metric.ROC_AUC),
    )
    answer = await hub.request("POST", "/v1/models/digits/quality", msgspec.json.encode(query))
    assert answer.status == 400
    assert "does not follow from single labels" in answer.error


async def test_numbers_of_a_label_that_is_late_are_not_in_the_window(hub: HubClient) -> None:
    await hub.label((hub.prediction(1.0, at=START - 5), 100))
    window = (await hub.quality(**ERRORS, measure=MAE, label_delay=10.0)).window
    assert window is None
