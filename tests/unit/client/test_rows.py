"""Rows from the tables that people have, as JSON has them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evermodel_client.messages import ROWS_AT_ONCE, predict_requests
from evermodel_client.rows import encode, rows_of


class Frame:
    """As a DataFrame of pandas gives its rows."""

    def to_dict(self, orient: str = "dict") -> Any:
        assert orient == "records"
        return [{"a": np.float64(1.5), "b": math.nan}]


class PolarsFrame(Frame):
    """As one of polars does, which has both ways."""

    def to_dicts(self) -> Any:
        return [{"a": 1.5, "b": None}]


class Timestamp(datetime):
    """As pandas has them: a kind of datetime."""


NAType = type("NAType", (), {})
MORNING = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("table", "body"),
    [
        pytest.param([[1, 2.5], (3, None)], b"[[1,2.5],[3,null]]", id="lists and tuples"),
        pytest.param([{"a": 1}, {"a": True}], b'[{"a":1},{"a":true}]', id="dicts"),
        pytest.param(({"a": 1} for _ in range(1)), b'[{"a":1}]', id="a generator"),
        pytest.param(np.array([[1.5, np.nan]], np.float32), b"[[1.5,null]]", id="an array; NaN is missing"),
        pytest.param([np.array([1, 2]), np.array([3, 4])], b"[[1,2],[3,4]]", id="a list of arrays"),
        pytest.param([[np.int64(1), np.str_("x"), np.True_]], b'[[1,"x",true]]', id="elements of numpy"),
        pytest.param(Frame(), b'[{"a":1.5,"b":null}]', id="pandas"),
        pytest.param(PolarsFrame(), b'[{"a":1.5,"b":null}]', id="polars"),
        pytest.param(pa.table({"a": [1, 2]}), b'[{"a":1},{"a":2}]', id="pyarrow"),
        pytest.param([[NAType(), Decimal("1.50")]], b"[[null,1.50]]", id="what pandas calls missing, decimals"),
        pytest.param([[MORNING, MORNING.date()]], b'[["2026-01-31T08:30:00Z","2026-01-31"]]', id="dates"),
        pytest.param([[Timestamp(2026, 1, 31)]], b'[["2026-01-31T00:00:00"]]', id="dates of pandas"),
    ],
)
def test_tables_become_rows_of_json(table: Any, body: bytes) -> None:
    assert encode(rows_of(table)) == body


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param([1, 2], "row 0 is 1, not a list of values or a dict by column name: send", id="row"),
        pytest.param(np.array([1.5]), "row 0 is 1.5, not a list", id="an array of one dimension"),
        pytest.param(np.array(1.5), "row 0 is 1.5, not a list", id="an array of none"),
        pytest.param({"a": 1}, "this is one row by column name, or columns by name", id="one dict"),
        pytest.param([[1], "ab"], "row 1 is 'ab'", id="a text"),
    ],
)
def test_one_row_alone_is_not_taken_for_a_table(table: Any, words: str) -> None:
    with pytest.raises(TypeError) as refused:
        rows_of(table)

    assert words in str(refused.value)


def test_a_value_that_no_model_takes_is_named() -> None:
    with pytest.raises(TypeError, match="of type object is no value that a model takes"):
        encode([[object()]])


def test_many_rows_are_several_requests_that_know_where_they_begin() -> None:
    requests = predict_requests([[0]] * (2 * ROWS_AT_ONCE + 1), None)

    assert [request.first for request in requests] == [0, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE]
    assert requests[2].body == b'{"instances":[[0]]}'
