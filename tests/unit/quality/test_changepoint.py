"""Where a fall of accuracy began."""

from random import Random

import pytest

from evermodel_runtime.quality.changepoint import labels_since_change
from evermodel_runtime.quality.detector import Detector, DetectorSettings

SETTINGS = DetectorSettings(threshold=0.9, tolerance=0.01, false_alarm_every=100_000)


def outcomes(seed: int, *stretches: tuple[int, float]) -> list[bool]:
    """Labels of stretches of so many at an accuracy."""
    chance = Random(seed)
    return [chance.random() < accuracy for count, accuracy in stretches for _ in range(count)]


@pytest.mark.parametrize(
    ("newest_first", "labels"),
    [
        pytest.param([], 0, id="no labels"),
        pytest.param([True], 1, id="at least the one that there is"),
        pytest.param([False] * 5 + [True] * 50, 5, id="all wrong since the change"),
        pytest.param([True] + [False] * 5 + [True] * 50, 6, id="a right answer in between"),
    ],
)
def test_counts_the_labels_since_the_change(newest_first: list[bool], labels: int) -> None:
    assert labels_since_change(newest_first, SETTINGS) == labels


@pytest.mark.parametrize("fallen", [0.2, 0.5, 0.7])
def test_is_close_to_the_truth_also_after_a_spell_near_the_level(fallen: float) -> None:
    """The shortfall may reach back into times that were only a little weak; the change does not."""
    errors = []
    for seed in range(40):
        right = outcomes(seed, (1500, 0.93), (300, 0.88), (600, fallen))
        detector = Detector(SETTINGS)
        detector.replay(enumerate(right, 1))
        assert detector.crossing is not None
        seen = detector.crossing.seq
        shortfall = right[seen - detector.crossing.samples : seen]
        errors.append(abs(seen - labels_since_change(reversed(shortfall), SETTINGS) - 1800))
    assert sorted(errors)[len(errors) // 2] <= 15
