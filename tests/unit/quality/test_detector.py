from __future__ import annotations

import math
import random
from typing import Any

import pytest
from bench.detector import THRESHOLDS, TOLERANCE, bound, confirm, measure

from evermodel_runtime.quality.detector import GRID, Detector, DetectorSettings

EVERY = 10_000.0
SEED = 2026


def make(**changes: Any) -> Detector:
    return Detector(DetectorSettings(**{"threshold": 0.92, "tolerance": 0.01, "false_alarm_every": EVERY, **changes}))


def outcomes(count: int, accuracy: float, seed: int = 1) -> list[tuple[int, bool]]:
    chance = random.Random(seed)
    return [(number, chance.random() < accuracy) for number in range(1, count + 1)]


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_false_alarms_are_as_rare_as_asked(threshold: float) -> None:
    cell = measure(threshold, threshold - TOLERANCE, EVERY, seed=SEED)
    assert cell.mean >= EVERY


@pytest.mark.parametrize("below", [0.05, 0.10], ids="{:.2f} below".format)
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_alarms_come_about_as_soon_as_any_could(threshold: float, below: float) -> None:
    cell = measure(threshold, threshold - below, EVERY, seed=SEED)
    assert cell.truncated == 0
    assert cell.mean <= 1.2 * bound(threshold, threshold - below, EVERY)


@pytest.mark.parametrize("accuracy", [0.98, 0.91, 0.6])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_simulation_is_the_detector_to_the_bit(threshold: float, accuracy: float) -> None:
    settings = DetectorSettings(threshold=threshold, tolerance=TOLERANCE, false_alarm_every=EVERY)
    confirm(settings, accuracy, longest=2000, seed=3, streams=4)


def test_the_evidence_is_that_of_the_definition() -> None:
    detector = make()
    m = 0.92 - 0.01
    mixture = [0.0] * len(GRID)
    for seq, correct in outcomes(300, 0.8):
        detector.step(seq, correct=correct)
        mixture = [
            (before + 1) * (1 + g / (m * (1 - m)) * (m - correct)) for before, g in zip(mixture, GRID, strict=True)
        ]
        assert detector.evidence == pytest.approx(mixture, rel=1e-9)
        crossed = math.fsum(mixture) / len(mixture) >= EVERY
        assert (detector.crossing is not None) == crossed
        if crossed:
            return
    pytest.fail("300 labels at 0.8 must cross")


@pytest.mark.parametrize(("threshold", "bets"), [(0.92, 8), (0.5, 7), (0.03, 2), (0.02, 1)])
def test_bets_stay_below_half_the_level(threshold: float, bets: int) -> None:
    detector = make(threshold=threshold)
    assert len(detector.settings.bets) == bets
    assert min(detector._right) > 0.5


def test_the_first_crossing_is_kept() -> None:
    detector = make()
    detector.replay((seq, False) for seq in range(1, 100))
    first = detector.crossing
    detector.replay((seq, True) for seq in range(100, 5000))
    detector.replay((seq, False) for seq in range(5000, 5100))
    assert first is not None
    assert first.wrong == first.samples == first.seq
    assert detector.crossing == first


def test_the_shortfall_begins_where_accuracy_began_to_fall() -> None:
    detector = make()
    detector.replay(outcomes(3000, 0.99))
    assert detector.crossing is None
    detector.replay((3000 + seq, correct) for seq, correct in outcomes(1000, 0.6, seed=5))
    found = detector.crossing
    assert found is not None
    assert abs((found.seq - found.samples) - 3000) < 30
    assert 1 - found.wrong / found.samples == pytest.approx(0.6, abs=0.12)


def test_evidence_that_overflows_stays_an_alarm() -> None:
    detector = make()
    detector.replay((seq, False) for seq in range(1, 3000))
    assert math.isinf(detector.evidence[-1])
    detector.replay((seq, True) for seq in range(3000, 3100))
    assert not any(math.isnan(evidence) for evidence in detector.evidence)


@pytest.mark.parametrize("cut", [0, 1, 777, 2000])
def test_a_stored_state_goes_on_to_the_bit(cut: int) -> None:
    taken = outcomes(2000, 0.85)
    whole, first = make(), make()
    whole.replay(taken)
    first.replay(taken[:cut])
    second = Detector.load(first.settings, first.dump())
    assert second == first
    second.replay(taken[cut:])
    assert second.dump() == whole.dump()
    assert second.crossing == whole.crossing is not None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"threshold": 1.01, "tolerance": 0.0}, "must lie in", id="above 1"),
        pytest.param({"threshold": 1.0, "tolerance": 0.0}, "must lie in", id="nothing may ever be wrong"),
        pytest.param({"threshold": 0.015}, "must lie in", id="hardly above 0"),
        pytest.param({"tolerance": -0.01}, "must not be negative", id="a negative tolerance"),
        pytest.param({"false_alarm_every": 0.5}, "at least 1", id="more alarms than labels"),
        pytest.param({"false_alarm_every": math.inf}, "at least 1", id="never an alarm"),
        pytest.param({"threshold": math.nan}, "must lie in", id="no number"),
    ],
)
def test_settings_that_leave_nothing_to_detect_are_refused(changes: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(**changes)
