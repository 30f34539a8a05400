"""Dates of a request come in one spelling, or the request is told which is none."""

from __future__ import annotations

from typing import Any

import pytest

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.serve.protocol import Datatype, InferInput, RequestError
from evermodel_runtime.serve.rows import Rows, Schema, read_rows

COLUMNS = (
    Column(name="sold", kind=ColumnKind.DATE),
    Column(name="size", kind=ColumnKind.NUMBER),
    Column(name="due", kind=ColumnKind.DATE, nullable=True),
)


def read(sold: list[Any], due: list[Any], datatype: Datatype = Datatype.BYTES) -> Rows:
    size = InferInput("size", (len(sold),), Datatype.FP64, [1.0] * len(sold))
    return read_rows(
        Schema.of(COLUMNS),
        [InferInput("sold", (len(sold),), datatype, sold), size, InferInput("due", (len(due),), Datatype.BYTES, due)],
    )


def test_moments_have_one_spelling_for_the_model_and_for_what_is_captured() -> None:
    rows = read(["2026-01-31", "2026-01-31T23:30:00-02:00"], [None, ""])

    assert rows.as_received([0, 1]) == [("2026-01-31T00:00:00", 1.0, ""), ("2026-02-01T01:30:00", 1.0, "")]


@pytest.mark.parametrize(
    ("sold", "due", "datatype", "words"),
    [
        pytest.param(["2026-01-31", "31/1"], ["", ""], "BYTES", "row 1 of column 'sold'", id="no date"),
        pytest.param(
            ["2026-01-31"], ["2026-02-30"], "BYTES", "'2026-02-30', not a date: send ISO 8601", id="no such day"
        ),
        pytest.param([""], [""], "BYTES", "row 0 of column 'sold'", id="empty, where none may be missing"),
        pytest.param([None], [""], "BYTES", "null (missing values are not accepted)", id="null, likewise"),
        pytest.param([20260131], [""], "INT64", "send strings as datatype BYTES", id="a number"),
    ],
)
def test_what_is_no_date_is_told(sold: list[Any], due: list[Any], datatype: str, words: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(sold, due, Datatype(datatype))

    assert words in str(refused.value)
