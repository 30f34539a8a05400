"""A share that hovers about what makes a data problem is told once: from what pods counted to the Events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.made import NOW, known, make_observed, make_quality, make_version, planned

from evermodel.contract import Bins, ColumnKind, DriftQuery, Reference
from evermodel_runtime.hub.bins import BinWindow
from evermodel_runtime.hub.drift import judge

ROWS = 10_000
"""So many that 5 points decide, not chance: a problem begins at 500 rows and is over below 400."""
AGE = Bins(name="age", kind=ColumnKind.NUMBER, counts=(ROWS // 2, ROWS // 2), edges=(40.0,), lowest=18.0, highest=99.0)
ANSWER = Bins(name="prediction", kind=ColumnKind.TEXT, counts=(ROWS, 0), categories=("no",), complete=True)
REFERENCE = Reference(features=(AGE,), prediction=ANSWER)


def missing(rows: int) -> BinWindow:
    low = (ROWS - rows) // 2
    return BinWindow(0, 1, ROWS, 0, (low, ROWS - rows - low, rows, 0, ROWS, 0, 0, 0))


def outside(rows: int) -> BinWindow:
    return BinWindow(0, 1, ROWS, 0, (ROWS // 2, ROWS // 2, 0, rows, ROWS, 0, 0, 0))


def refused(rows: int) -> BinWindow:
    return BinWindow(0, 1, ROWS - rows, rows, (ROWS // 2, ROWS // 2, 0, 0, ROWS, 0, 0, 0))


def announced(windows: Iterable[BinWindow]) -> list[str]:
    """Return what was said while one window after the other was the newest."""
    observed, said = make_observed(make_version(1)), []
    for window in windows:
        drift = judge(1, REFERENCE, (window, window), DriftQuery())
        observed = replace(observed, quality=make_quality(drift=drift))
        reasons = [str(event.reason) for event in planned(observed).events]
        said += [reason for reason in reasons if reason in {"DataProblem", "AsLearnt"}]
        observed = known(observed, NOW)
    return said


@pytest.mark.parametrize("kind", [missing, outside, refused], ids=["missing", "outside", "refused"])
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param((0, 450), [], id="near the limit is no problem"),
        pytest.param((0, 499, 500), ["DataProblem"], id="it begins at the limit"),
        pytest.param((0, 500, 401, 500, 401), ["DataProblem"], id="hovering is one problem"),
        pytest.param((0, 500, 399), ["DataProblem", "AsLearnt"], id="it ends below the band"),
        pytest.param((0, 500, 399, 450), ["DataProblem", "AsLearnt"], id="what has ended does not linger"),
        pytest.param((0, 500, 0, 500), ["DataProblem", "AsLearnt", "DataProblem"], id="one that comes back is told"),
    ],
)
def test_a_problem_lasts_from_the_limit_until_it_is_below_the_band(
    kind: Callable[[int], BinWindow], rows: tuple[int, ...], expected: list[str]
) -> None:
    assert announced(kind(number) for number in rows) == expected


@given(
    first=st.integers(500, ROWS - 1),
    then=st.lists(st.integers(401, 599), max_size=12),
    kind=st.sampled_from([missing, outside, refused]),
)
def test_hovering_about_the_limit_makes_one_event(
    first: int, then: list[int], kind: Callable[[int], BinWindow]
) -> None:
    assert announced(kind(number) for number in (0, first, *then)) == ["DataProblem"]


def test_another_columns_problem_does_not_make_a_share_near_the_limit_one() -> None:
    drift = judge(1, REFERENCE, (outside(450), outside(450)), DriftQuery())
    before = replace(
        make_observed(make_version(1)),
        quality=make_quality(drift=judge(1, REFERENCE, (missing(900),) * 2, DriftQuery())),
    )
    after = planned(replace(known(before), quality=make_quality(drift=drift))).status.drift
    assert after is not None
    assert after.problems == ()
