"""The short way to read a matrix of floats says what the long way says, or leaves the request to it."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.serve.http_calls import tensor

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.serve.matrix import read_matrix
from evermodel_runtime.serve.protocol import MAX_ROWS, RequestError, decode_request
from evermodel_runtime.serve.rows import Schema, read_rows

SCHEMA = Schema.of([Column(name=name, kind=ColumnKind.NUMBER, nullable=name == "b") for name in "ab"])
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70))
ELEMENTS = st.one_of(NUMBERS, NUMBERS, NUMBERS, st.none(), st.booleans(), st.just("7"), st.just([1, 2]))


@given(
    data=st.lists(ELEMENTS, max_size=9),
    shape=st.lists(st.integers(-1, 4), max_size=3),
    datatype=st.sampled_from(["FP64", "FP64", "FP32", "INT8", "BYTES"]),
)
def test_what_the_short_way_takes_the_long_way_takes_alike(data: list[Any], shape: list[int], datatype: str) -> None:
    body = msgspec.json.encode({"id": "mine", "inputs": [tensor("X", data, shape, datatype)]})
    short = read_matrix(SCHEMA, body)
    if short is not None:
        request, rows = short
        expected = read_rows(SCHEMA, decode_request(body).inputs)
        assert (request.id, rows.count) == ("mine", expected.count)
        assert np.array_equal(rows.numbers32, expected.numbers32)
        places = range(rows.count)
        assert rows.as_received(places) == expected.as_received(places)


@pytest.mark.parametrize("rows", [1, 3, MAX_ROWS])
def test_floats_in_a_matrix_take_the_short_way(rows: int) -> None:
    data = [0.5, 2.0] * rows
    assert read_matrix(SCHEMA, msgspec.json.encode({"inputs": [tensor("X", data, [rows, 2])]})) is not None


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param([], id="nothing"),
        pytest.param([tensor("X", [0.5, 1.5], [1, 2])] * 2, id="two tensors"),
        pytest.param([tensor("X", [[0.5, 1.5]], [1, 2])], id="nested rows"),
        pytest.param([tensor("X", [0.5, None], [1, 2])], id="null"),
        pytest.param([tensor("X", [1, 2], [1, 2], "INT64")], id="integers"),
        pytest.param([tensor("X", [0.5, 1.5], [2, 1])], id="another shape"),
        pytest.param([tensor("X", [], [0, 2])], id="no rows"),
        pytest.param([tensor("X", [0.5, 1.5] * (MAX_ROWS + 1), [MAX_ROWS + 1, 2])], id="too many rows"),
        pytest.param([tensor("X", [0.5, 1e39], [1, 2])], id="more than 32 bits hold"),
    ],
)
def test_everything_else_takes_the_long_way(inputs: list[dict[str, Any]]) -> None:
    assert read_matrix(SCHEMA, msgspec.json.encode({"inputs": inputs})) is None


def test_the_long_way_says_which_number_is_too_large() -> None:
    body = msgspec.json.encode({"inputs": [tensor("X", [0.5, 1e39], [1, 2])]})
    with pytest.raises(RequestError, match="row 0 of column 'b' is 1e\\+39"):
        read_rows(SCHEMA, decode_request(body).inputs)
