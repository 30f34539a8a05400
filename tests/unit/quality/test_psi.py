"""The index of stability: its values, what chance makes of it, and that a world at rest raises no alarm."""

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from evermodel_runtime.quality.psi import FALSE_ALARMS, jump, psi, psi_by_chance

COUNTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=12)


@pytest.mark.parametrize(
    ("reference", "window", "expected"),
    [
        pytest.param([100, 100], [7, 7], 0.0, id="equal shares of other numbers of rows"),
        pytest.param([5000, 5000], [8000, 2000], 0.3 * math.log(1.6) - 0.3 * math.log(0.4), id="the formula"),
        pytest.param([99, 0], [0, 99], 2 * 0.99 * math.log(199), id="bins that are empty on one side count"),
        pytest.param([100], [100], None, id="one bin has one share"),
        pytest.param([1, 1], [0, 0], None, id="no rows now"),
        pytest.param([0, 0], [1, 1], None, id="no rows before"),
    ],
)
def test_values(reference: list[int], window: list[int], expected: float | None) -> None:
    assert psi(reference, window) == (None if expected is None else pytest.approx(expected, rel=1e-3))


@given(COUNTS)
def test_it_is_never_negative_and_the_same_from_both_sides(counts: list[tuple[int, int]]) -> None:
    reference, window = zip(*counts, strict=True)
    assume(sum(reference) and sum(window))
    there, back = psi(reference, window), psi(window, reference)
    assert there is not None
    assert there >= 0
    assert there == pytest.approx(back)


@given(COUNTS, st.randoms())
def test_the_order_of_bins_makes_no_difference(counts: list[tuple[int, int]], chance: random.Random) -> None:
    mixed = counts.copy()
    chance.shuffle(mixed)
    given_order, other = (psi(*zip(*pairs, strict=True)) for pairs in (counts, mixed))
    assert given_order == (None if other is None else pytest.approx(other))


@pytest.mark.parametrize("bins", [2, 3, 10, 21])
@pytest.mark.parametrize("columns", [1, 30, 1000])
def test_chance_is_the_quantile_of_chi_square_or_a_little_more(bins: int, columns: int) -> None:
    exact = stats.chi2.isf(FALSE_ALARMS / columns, bins - 1) * (1 / 500 + 1 / 2000)
    assert exact <= psi_by_chance(bins, 500, 2000, columns=columns) <= 1.15 * exact


def multinomial(chance: random.Random, rows: int, weights: list[float]) -> list[int]:
    drawn = [0] * len(weights)
    for place in chance.choices(range(len(weights)), weights, k=rows):
        drawn[place] += 1
    return drawn


@pytest.mark.parametrize(("learnt", "rows"), [(150, 1000), (2000, 300)])
def test_a_world_at_rest_is_taken_for_chance(learnt: int, rows: int) -> None:
    """Thirty features in a hundred windows: one of a thousand windows may go beyond, so hardly one of these."""
    chance = random.Random(5)
    limit = psi_by_chance(10, learnt, rows, columns=30)
    shares = [0.1] * 10
    beyond = 0
    for _ in range(100):
        values = [psi(multinomial(chance, learnt, shares), multinomial(chance, rows, shares)) for _ in range(30)]
        beyond += max(value for value in values if value is not None) > limit
    assert beyond <= 2


@pytest.mark.parametrize(
    ("usual", "share", "rows", "jumped"),
    [
        pytest.param(0.0, 0.06, 1000, True, id="from nothing to 6 %"),
        pytest.param(0.0, 0.04, 100_000, False, id="4 % is no jump, however sure"),
        pytest.param(0.1, 0.40, 10, False, id="4 of 10 rows may be chance where 1 is usual"),
        pytest.param(0.5, 0.58, 300, False, id="8 points of a half, in 300 rows, may be chance"),
        pytest.param(0.5, 0.58, 30_000, True, id="and in 30,000 are none"),
        pytest.param(0.3, 0.0, 1000, False, id="fewer are no problem"),
        pytest.param(0.0, 1.0, 0, False, id="no rows"),
    ],
)
def test_jumps(usual: float, share: float, rows: int, *, jumped: bool) -> None:
    assert (jump(usual, 1000, share, rows) >= 1) is jumped
