"""Which rows are captured: all while there are few, and of more a share that is fair and bounded."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.serve.http_calls import make_bench, tensor
from tests.unit.serve.made_models import mixed, numeric

from evermodel.contract import CaptureRules, Scalar
from evermodel_runtime.serve.captures import Allowance, CaptureBuffer
from evermodel_runtime.serve.withholding import UnknownColumnsError, Withholding


@pytest.mark.parametrize(
    ("asked", "captured"),
    [
        pytest.param([(0, 1)], [1], id="one row"),
        pytest.param([(0, 30)], [20], id="more at once than may be"),
        pytest.param([(0, 15), (0, 15), (0, 15)], [15, 5, 0], id="several requests at once"),
        pytest.param([(0, 20), (0.5, 10), (0.75, 10)], [20, 4, 2], id="so many each second"),
        pytest.param([(0, 20), (0.0625, 1), (0.125, 1)], [20, 0, 1], id="parts of a row add up"),
        pytest.param([(0, 20), (60, 30)], [20, 20], id="a quiet minute gives no more than at the start"),
    ],
)
def test_rows_are_captured_as_far_as_the_allowance_goes(asked: list[tuple[float, int]], captured: list[int]) -> None:
    allowance = Allowance(per_second=8, at_once=20)

    assert [len(allowance.chosen(rows, 1_000 + at)) for at, rows in asked] == captured
    assert allowance.passed_over == sum(rows for _, rows in asked) - sum(captured)


@given(
    asked=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 60)), min_size=1, max_size=40),
    per_second=st.floats(0.5, 50),
    at_once=st.floats(1, 50),
)
def test_no_stretch_of_time_has_more_than_its_allowance(
    asked: list[tuple[float, int]], per_second: float, at_once: float
) -> None:
    allowance = Allowance(per_second, at_once)
    now, captured = 0.0, 0
    for pause, rows in asked:
        now += pause
        places = allowance.chosen(rows, now)
        assert len(set(places)) == len(places)
        assert set(places) <= set(range(rows))
        captured += len(places)
        assert captured <= at_once + per_second * now + 1e-6


def test_every_row_of_a_large_request_is_as_likely() -> None:
    tally = Counter(place for _ in range(2_000) for place in Allowance(1, 5).chosen(10, 0))

    assert sum(tally.values()) == 10_000
    assert all(abs(tally[place] - 1_000) < 120 for place in range(10))  # five standard deviations


@pytest.mark.parametrize(
    ("made", "inputs", "rows"),
    [
        pytest.param(
            numeric(),
            [tensor("X", [[float(row), 0.5, 1] for row in range(6)], [6, 3])],
            [(float(row), 0.5, 1.0) for row in range(6)],
            id="nested",
        ),
        pytest.param(
            numeric(),
            [tensor("X", [value for row in range(6) for value in (row, 0.5, 1)], [6, 3])],
            [(float(row), 0.5, 1.0) for row in range(6)],
            id="flat",
        ),
        pytest.param(
            mixed(),
            [
                tensor("age", list(range(6)), [6]),
                tensor("size", [0.5] * 6, [6]),
                tensor("city", [f"city {row}" for row in range(6)], [6], "BYTES"),
            ],
            [(float(row), f"city {row}", 0.5) for row in range(6)],
            id="text",
        ),
    ],
)
async def test_a_row_that_is_captured_has_its_own_id(made: object, inputs: list[object], rows: list[object]) -> None:
    bench = make_bench(made)  # type: ignore[arg-type]  # parametrize knows no types
    bench.captures.allowance = Allowance(0, 3)

    ids = (await bench.infer({"inputs": inputs})).json["parameters"]["prediction_ids"]

    captures = bench.captures.oldest(10).captures
    assert len(captures) == 3
    for capture in captures:
        assert capture.row == rows[ids.index(capture.id)]


def test_without_an_allowance_of_its_own_a_buffer_takes_five_thousand_rows_and_then_five_hundred_a_second() -> None:
    allowance = CaptureBuffer().allowance

    assert [len(allowance.chosen(10_000, at)) for at in (100, 101, 111, 1_000)] == [5_000, 500, 5_000, 5_000]


NAMES = ("age", "city", "size")


def without(row: tuple[Scalar, ...], token: str = "token", **rules: tuple[str, ...]) -> tuple[Scalar | None, ...]:
    return Withholding.of(NAMES, CaptureRules(**rules), token).without(row)  # type: ignore[arg-type]  # lists alone


def test_a_dropped_value_is_left_out_and_the_others_stay() -> None:
    assert without((3.0, "Rome", 0.5), drop=("city", "age")) == (None, None, 0.5)


def test_equal_values_of_a_column_have_equal_hashes_and_no_others() -> None:
    hash_of = {city: without((3.0, city, 0.5), hash=("city",)) for city in ("Rome", "Oslo", "rome")}
    assert without((4.0, "Rome", 0.5), hash=("city",))[1] == hash_of["Rome"][1]
    assert len({row[1] for row in hash_of.values()}) == 3
    for row in hash_of.values():
        assert isinstance(row[1], str)
        assert row[1].startswith("hmac:")
        assert (row[0], row[2]) == (3.0, 0.5)


def test_a_hash_depends_on_the_key_and_on_the_column() -> None:
    row = (5.0, "Rome", 5.0)
    both = without(row, hash=("age", "size"))
    assert both[0] != both[2], "equal values of two columns are not told as equal"
    assert without(row, "another token", hash=("age",))[0] != both[0]


@pytest.mark.parametrize("missing", [float("nan"), ""])
def test_what_a_row_lacks_has_no_hash(missing: Scalar) -> None:
    assert without((missing, missing, missing), hash=NAMES) == (None, None, None)


@pytest.mark.parametrize("rules", [CaptureRules(drop=("city", "town")), CaptureRules(hash=("town",))])
def test_a_column_that_the_model_does_not_take_is_named(rules: CaptureRules) -> None:
    with pytest.raises(UnknownColumnsError, match="'town', which the model does not take: nothing is captured"):
        Withholding.of(NAMES, rules, "token")


@pytest.mark.parametrize("rows", [1, 100])
async def test_a_sample_is_a_share_of_the_rows_however_they_come(rows: int) -> None:
    bench = make_bench(numeric())
    bench.captures.rules = CaptureRules(sample=0.25)
    inputs = [tensor("X", [[0.5, 0.5, 1]] * rows, [rows, 3])]
    for _ in range(2_000 // rows):
        await bench.infer({"inputs": inputs})

    assert abs(len(bench.captures) - 500) < 100  # five standard deviations
    assert bench.captures.allowance.passed_over == 0


async def test_what_is_withheld_does_not_wait_in_the_pod_either() -> None:
    bench = make_bench(mixed())
    bench.captures.withholding = Withholding.of(NAMES, CaptureRules(drop=("city",), hash=("size",)), "token")
    inputs = [
        tensor("age", [3], [1]),
        tensor("size", [0.5], [1]),
        tensor("city", ["Rome"], [1], "BYTES"),
    ]

    assert (await bench.infer({"inputs": inputs})).status == 200

    (capture,) = bench.captures.oldest(10).captures
    assert capture.row[:2] == (3.0, None)
    assert str(capture.row[2]).startswith("hmac:")
