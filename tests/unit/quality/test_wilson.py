from __future__ import annotations

import pytest

from evermodel_runtime.quality.wilson import wilson_interval


@pytest.mark.parametrize(
    ("successes", "samples", "lower", "upper"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe: 81 of 263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="Newcombe: 15 of 148"),
        pytest.param(0, 20, 0.0, 0.1611, id="Newcombe: 0 of 20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="Newcombe: 1 of 29"),
        pytest.param(20, 20, 0.8389, 1.0, id="all right"),
        pytest.param(1, 1, 0.2065, 1.0, id="one sample"),
    ],
)
def test_the_interval_is_wilsons(successes: int, samples: int, lower: float, upper: float) -> None:
    assert wilson_interval(successes, samples) == pytest.approx((lower, upper), abs=5e-5)


@pytest.mark.parametrize("samples", [1, 2, 10, 1000])
def test_the_interval_holds_the_share_and_stays_within_0_and_1(samples: int) -> None:
    for successes in range(samples + 1):
        lower, upper = wilson_interval(successes, samples)
        assert 0.0 <= lower <= successes / samples <= upper <= 1.0
