"""Outcomes have the mean that they are said to have, and the detector keeps its promise with them."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Iterator

import pytest

from evermodel.contract import Measure, Metric, Scalar
from evermodel_runtime.quality.detector import Detector, DetectorSettings
from evermodel_runtime.quality.outcomes import (
    LARGEST,
    Labelled,
    as_number,
    error_of,
    is_watchable,
    level_of,
    outcomes_of,
    value_of,
)

EVERY = 1000.0
RMSE, MAE, MAPE = (Measure(metric=metric) for metric in (Metric.RMSE, Metric.MAE, Metric.MAPE))
RECALL, PRECISION, F1 = (
    Measure(metric=metric, positive_class="fraud") for metric in (Metric.RECALL, Metric.PRECISION, Metric.F1)
)


def row(seq: int, label: str, predicted: str | None) -> Labelled:
    return seq, label == predicted, label, predicted


ROWS = [
    row(1, "fraud", "fraud"),
    row(2, "fraud", "fine"),
    row(3, "fine", "fraud"),
    row(4, "fine", "fine"),
    row(5, "fraud", None),
]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        pytest.param(Measure(), [(1, True), (2, False), (3, False), (4, True), (5, False)], id="accuracy: all rows"),
        pytest.param(RECALL, [(1, True), (2, False), (5, False)], id="recall: rows of the class"),
        pytest.param(PRECISION, [(1, True), (3, False)], id="precision: rows said to be of the class"),
        pytest.param(F1, [(1, True), (2, False), (3, False), (5, False)], id="f1: rows of either"),
    ],
)
def test_a_metric_is_about_its_rows(measure: Measure, expected: list[tuple[int, float]]) -> None:
    assert list(outcomes_of(measure, 0.9)(ROWS)) == expected


@pytest.mark.parametrize(
    ("measure", "predicted", "outcome"),
    [
        pytest.param(RMSE, "10.0", 1.0, id="no error"),
        pytest.param(RMSE, "12.0", 1 - 4 / 36, id="rmse at the threshold"),
        pytest.param(RMSE, "100.0", 0.0, id="an outlier counts as three thresholds"),
        pytest.param(MAE, "8.0", 1 - 2 / 8, id="mae at the threshold"),
        pytest.param(MAE, "-5.0", 0.0, id="an outlier counts as four thresholds"),
        pytest.param(MAPE, "11.0", 1 - 0.1 / 8, id="mape is of the label"),
    ],
)
def test_errors_become_outcomes(measure: Measure, predicted: str, outcome: float) -> None:
    ((seq, found),) = outcomes_of(measure, 2.0)([row(1, "10", predicted)])
    assert seq == 1
    assert found == pytest.approx(outcome)


@pytest.mark.parametrize(
    ("label", "predicted"),
    [
        pytest.param("10", None, id="nothing was written down"),
        pytest.param("rose", "3.0", id="a word"),
        pytest.param("10", "rose", id="of a model of classes"),
    ],
)
def test_what_are_no_numbers_has_no_error(label: str, predicted: str | None) -> None:
    assert error_of(Metric.RMSE, label, predicted) is None
    assert list(outcomes_of(RMSE, 2.0)([row(1, label, predicted)])) == []


def test_a_label_of_0_counts_as_the_smallest_where_mape_divides_by_it() -> None:
    assert error_of(Metric.MAPE, "0", "0.0") == 0
    assert error_of(Metric.MAPE, "0", "1.0") == 2.0**52


@pytest.mark.parametrize(
    ("measure", "threshold", "tolerance", "level"),
    [
        pytest.param(Measure(), 0.92, 0.01, 0.91, id="accuracy"),
        pytest.param(RMSE, 3.0, 0.0, 8 / 9, id="rmse: 1 - t²/B"),
        pytest.param(RMSE, 3.0, 0.1, 1 - 1.21 / 9, id="rmse: the tolerance is a share"),
        pytest.param(MAE, 1e-6, 0.0, 0.75, id="mae, in whatever units"),
        pytest.param(F1, 0.8, 0.0, 0.8 / 1.2, id="f1: as a share of the rows that it is about"),
    ],
)
def test_levels(measure: Measure, threshold: float, tolerance: float, level: float) -> None:
    assert level_of(measure, threshold, tolerance) == pytest.approx(level)


@pytest.mark.parametrize("counts", [(5, 1, 2), (1, 0, 0), (90, 30, 3)])
def test_f1_meets_its_threshold_exactly_while_its_rows_meet_the_level(counts: tuple[int, int, int]) -> None:
    hits, missed, mistaken = counts
    share = hits / (hits + missed + mistaken)
    f1 = 2 * hits / (2 * hits + missed + mistaken)
    assert value_of(F1, share) == pytest.approx(f1)
    for threshold in (0.3, 0.7, 0.9):
        gain = 2 * (1 - threshold) * hits - threshold * (missed + mistaken)
        assert (share >= level_of(F1, threshold, 0.0)) == (gain >= 0) == (f1 >= threshold)


def normal(sigma: float) -> Callable[[random.Random], float]:
    return lambda chance: chance.gauss(0, sigma)


def laplace(scale: float) -> Callable[[random.Random], float]:
    return lambda chance: chance.choice((-1, 1)) * chance.expovariate(1 / scale)


def labels(error: Callable[[random.Random], float], seed: int) -> Iterator[Labelled]:
    chance = random.Random(seed)
    for seq in range(1, 100_000):
        truth = chance.uniform(50, 150)
        yield row(seq, repr(truth), repr(truth + error(chance)))


def alarm_at(measure: Measure, threshold: float, rows: Iterator[Labelled], *, longest: int) -> int:
    """Label at which the detector alarms; ``longest`` when it does not."""
    detector = Detector(DetectorSettings(threshold=threshold, tolerance=0.0, false_alarm_every=EVERY, measure=measure))
    for seq, outcome in outcomes_of(measure, threshold)(rows):
        detector.step(seq, correct=outcome)
        if detector.crossing is not None or seq >= longest:
            return seq
    raise AssertionError("too few labels")


@pytest.mark.parametrize(
    ("measure", "threshold", "error"),
    [
        pytest.param(RMSE, 2.0, normal(2.0), id="rmse, normal errors"),
        pytest.param(RMSE, 2.0, laplace(math.sqrt(2.0)), id="rmse, heavy tails"),
        pytest.param(MAE, 2.0, normal(2.0 * math.sqrt(math.pi / 2)), id="mae, normal errors"),
        pytest.param(MAE, 2.0, laplace(2.0), id="mae, heavy tails"),
    ],
)
def test_false_alarms_are_as_rare_as_asked_for_errors_that_are_just_good_enough(
    measure: Measure, threshold: float, error: Callable[[random.Random], float]
) -> None:
    longest = int(5 * EVERY)
    found = [alarm_at(measure, threshold, labels(error, seed), longest=longest) for seed in range(300)]
    assert sum(found) / len(found) >= EVERY


@pytest.mark.parametrize(
    ("measure", "error", "within"),
    [
        pytest.param(RMSE, normal(3.0), 200, id="rmse half above"),
        pytest.param(RMSE, normal(10.0), 30, id="rmse five times"),
        pytest.param(MAE, normal(3.0 * math.sqrt(math.pi / 2)), 200, id="mae half above"),
    ],
)
def test_alarms_come_soon_when_errors_grow(
    measure: Measure, error: Callable[[random.Random], float], within: int
) -> None:
    found = [alarm_at(measure, 2.0, labels(error, seed), longest=5000) for seed in range(20)]
    assert sum(found) / len(found) <= within


@pytest.mark.parametrize("cut", [1, 50, 300])
def test_a_stored_state_of_errors_goes_on_to_the_bit(cut: int) -> None:
    settings = DetectorSettings(threshold=2.0, tolerance=0.01, false_alarm_every=EVERY, measure=RMSE)
    rows = [row for _, row in zip(range(400), labels(normal(2.6), 3), strict=False)]
    taken = list(outcomes_of(RMSE, 2.0)(rows))
    whole, first = Detector(settings), Detector(settings)
    whole.replay(taken)
    first.replay(taken[:cut])
    second = Detector.load(settings, first.dump())
    second.replay(taken[cut:])
    assert second.dump() == whole.dump()


@pytest.mark.parametrize(
    ("measure", "watched"),
    [
        pytest.param(Measure(), True, id="accuracy"),
        pytest.param(RECALL, True, id="recall of a class"),
        pytest.param(Measure(metric=Metric.RECALL), False, id="the mean recall of all classes"),
        pytest.param(Measure(metric=Metric.ROC_AUC), False, id="an order of all rows"),
        pytest.param(Measure(metric=Metric.R2), False, id="errors against the spread of all"),
        pytest.param(MAPE, True, id="mape"),
    ],
)
def test_what_follows_from_single_labels_can_be_watched(measure: Measure, *, watched: bool) -> None:
    assert is_watchable(measure) is watched
    if not watched:
        with pytest.raises(ValueError, match="does not follow from single labels"):
            DetectorSettings(threshold=0.9, tolerance=0.01, false_alarm_every=EVERY, measure=measure)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.inf, math.nan])
def test_an_error_to_stay_below_is_a_number_above_0(threshold: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        DetectorSettings(threshold=threshold, tolerance=0.01, false_alarm_every=EVERY, measure=MAE)


@pytest.mark.parametrize(
    ("label", "number"),
    [
        pytest.param(3, 3.0, id="a whole number"),
        pytest.param("2.5", 2.5, id="as text"),
        pytest.param(True, None, id="a boolean"),
        pytest.param("dear", None, id="a word"),
        pytest.param(math.inf, None, id="no end"),
        pytest.param("nan", None, id="no number"),
        pytest.param(1e39, None, id="beyond 32 bits"),
        pytest.param(10**400, None, id="beyond 64 bits"),
    ],
)
def test_numbers_are_read(label: Scalar, number: float | None) -> None:
    assert as_number(label) == number


def test_the_largest_is_that_of_32_bits() -> None:
    assert struct.unpack("<f", b"\xff\xff\x7f\x7f")[0] == LARGEST
