"""Tensors as bytes after the JSON, both ways, as clients of Triton send and ask for them by default."""

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.serve.http_calls import Reply, make_bench, tensor
from tests.unit.serve.made_models import Made, mixed, numeric

from evermodel_runtime.serve.answers import HEADER_LENGTH

ROWS = [[0, 5, 1], [7, 2, 1]]
NUMPY = {
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4",
    "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


def texts(*words: str) -> bytes:
    return b"".join(len(word.encode()).to_bytes(4, "little") + word.encode() for word in words)


def binary(name: str, shape: list[int], datatype: str, size: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}


async def ask(made: Made, request: Any, content: bytes, *, says: bytes | None = None) -> Reply:
    head = msgspec.json.encode(request)
    length = str(len(head)).encode() if says is None else says
    return await make_bench(made).infer(head + content, headers=[(HEADER_LENGTH, length)])


def elements(reply: Reply) -> dict[str, Any]:
    """The outputs of an answer whose elements came as bytes."""
    size = int(reply.headers[HEADER_LENGTH.decode()])
    outputs = msgspec.json.decode(reply.body[:size])["outputs"]
    found, at = {}, size
    for output in outputs:
        end = at + output["parameters"]["binary_data_size"]
        content, at = reply.body[at:end], end
        kind = NUMPY.get(output["datatype"])
        values = np.frombuffer(content, kind).reshape(output["shape"]).tolist() if kind else content
        found[output["name"]] = values
    assert at == len(reply.body)
    return found


@pytest.mark.parametrize("datatype", NUMPY)
async def test_bytes_are_read_as_the_same_numbers_in_json(datatype: str) -> None:
    content = np.array(ROWS, NUMPY[datatype]).tobytes()
    reply = await ask(numeric(), {"inputs": [binary("X", [2, 3], datatype, len(content))]}, content)
    plain = await make_bench(numeric()).infer({"inputs": [tensor("X", ROWS, [2, 3])]})

    assert reply.status == 200, reply.body
    assert reply.json["outputs"] == plain.json["outputs"]


async def test_columns_may_come_one_by_one_some_as_bytes_some_as_json_and_text_among_them() -> None:
    age, city = np.array([7, 1], "<f4").tobytes(), texts("Rome", "Malmö")
    inputs = [
        binary("age", [2, 1], "FP32", len(age)),
        tensor("size", [0.5, 1], [2, 1]),
        binary("city", [2, 1], "BYTES", len(city)),
    ]
    as_json = [
        tensor("age", [7, 1], [2]),
        tensor("size", [0.5, 1], [2]),
        tensor("city", ["Rome", "Malmö"], [2], "BYTES"),
    ]
    reply = await ask(mixed(), {"inputs": inputs}, age + city)
    plain = await make_bench(mixed()).infer({"inputs": as_json})

    assert reply.status == plain.status == 200, reply.body
    assert reply.json["outputs"] == plain.json["outputs"]


@pytest.mark.parametrize(
    "asking",
    [
        pytest.param({"parameters": {"binary_data_output": True}}, id="all"),
        pytest.param(
            {"outputs": [{"name": name, "parameters": {"binary_data": True}} for name in ("label", "probabilities")]},
            id="each",
        ),
    ],
)
@pytest.mark.parametrize("made", [numeric(), numeric(("a", "bé", "c"))], ids=["whole numbers", "texts"])
async def test_outputs_come_as_bytes_where_they_are_asked_for(made: Made, asking: dict[str, Any]) -> None:
    request = {"inputs": [tensor("X", ROWS, [2, 3])]}
    reply = await make_bench(made).infer(request | asking)
    label, probabilities = (await make_bench(made).infer(request)).json["outputs"]
    expected = texts(*label["data"]) if label["datatype"] == "BYTES" else label["data"]

    assert reply.headers["content-type"] == "application/octet-stream"
    assert elements(reply) == {
        "label": expected,
        "probabilities": np.reshape(probabilities["data"], probabilities["shape"]).tolist(),
    }


async def test_one_output_as_bytes_leaves_the_other_as_json() -> None:
    outputs = [{"name": "label"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    reply = await make_bench(numeric()).infer({"inputs": [tensor("X", ROWS, [2, 3])], "outputs": outputs})
    head = msgspec.json.decode(reply.body[: int(reply.headers[HEADER_LENGTH.decode()])])

    assert head["outputs"][0] == {"name": "label", "datatype": "INT64", "shape": [2], "data": [1, 0]}
    assert head["outputs"][1]["parameters"] == {"binary_data_size": 2 * 3 * 8}


FLOATS = np.array(ROWS, "<f4").tobytes()
MATRIX = binary("X", [2, 3], "FP32", 24)


@pytest.mark.parametrize(
    ("request_", "content", "says", "words"),
    [
        pytest.param({"inputs": [MATRIX]}, FLOATS, b"-1", "must be the number of bytes of JSON", id="no number"),
        pytest.param({"inputs": [MATRIX]}, FLOATS, b"99999", "the body, which has", id="more JSON than body"),
        pytest.param({"inputs": [MATRIX]}, FLOATS, b"7", "the body is not JSON", id="JSON that is cut"),
        pytest.param({"inputs": [MATRIX]}, FLOATS[:-4], None, "20 bytes are left after the JSON", id="too few bytes"),
        pytest.param({"inputs": [MATRIX]}, FLOATS + b"x", None, "1 bytes after the JSON belong to no", id="too many"),
        pytest.param(
            {"inputs": [binary("X", [2, 3], "FP32", 23)]}, FLOATS[:-1], None, "no whole number of FP32", id="odd"
        ),
        pytest.param(
            {"inputs": [binary("X", [1, 3], "FP32", 24)]}, FLOATS, None, "needs 3", id="more than the shape says"
        ),
        pytest.param({"inputs": [binary("X", [2, 3], "FP32", "24")]}, FLOATS, None, "binary_data_size '24'", id="text"),
        pytest.param({"inputs": [MATRIX | {"data": [1]}]}, FLOATS, None, "'data' and binary_data_size", id="both ways"),
        pytest.param({"inputs": [binary("X", [2, 3], "BOOL", 6)]}, b"\0\1\2\0\0\0", None, "no BOOL", id="2 as BOOL"),
        pytest.param(
            {"inputs": [MATRIX]},
            np.array([[0, 5, 1], [7, np.nan, 1]], "<f4").tobytes(),
            None,
            "row 1 of column 'b' (input 'X') is NaN",
            id="NaN where nothing may be missing",
        ),
        pytest.param(
            {"inputs": [MATRIX]},
            np.array([[0, 5, np.inf], [7, 0, 1]], "<f4").tobytes(),
            None,
            "row 0 of column 'c' is inf",
            id="infinity",
        ),
        pytest.param(
            {"inputs": [binary("X", [1, 3], "BYTES", 9)]}, texts("hello"), None, "datatype BYTES, but", id="text"
        ),
    ],
)
async def test_bytes_that_cannot_be_read_are_refused(
    request_: Any, content: bytes, says: bytes | None, words: str
) -> None:
    reply = await ask(numeric(), request_, content, says=says)

    assert reply.status == 400
    assert words in reply.error


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(texts("Rome")[:-1], "ends within element 0", id="a text that is cut"),
        pytest.param(texts("Rome") + b"\1", "ends within element 1", id="a length that is cut"),
        pytest.param(b"\1\0\0\0\xff", "element 0 of input 'city' is no UTF-8", id="no UTF-8"),
        pytest.param(texts("Rome", "Oslo"), "has 2 elements", id="two texts for one row"),
    ],
)
async def test_texts_that_cannot_be_read_are_refused(content: bytes, words: str) -> None:
    inputs = [binary("city", [1], "BYTES", len(content)), tensor("age", [7], [1]), tensor("size", [0.5], [1])]
    reply = await ask(mixed(), {"inputs": inputs}, content)

    assert reply.status == 400
    assert words in reply.error


async def test_labels_are_no_tensors() -> None:
    from tests.unit.serve.http_calls import call  # noqa: PLC0415 - one test posts labels

    app = make_bench(numeric()).app
    reply = await call(app, "POST", "/v2/models/iris/feedback", b"{}", headers=[(HEADER_LENGTH, b"2")])

    assert (reply.status, reply.error[:22]) == (415, "labels are no tensors:")


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=40), size=st.integers(-2, 44), shape=st.lists(st.integers(-1, 4), max_size=3),
       datatype=st.sampled_from([*NUMPY, "BOOL", "BYTES"]))  # fmt: skip
def test_any_bytes_are_answered_or_refused(content: bytes, size: int, shape: list[int], datatype: str) -> None:
    reply = asyncio.run(ask(numeric(), {"inputs": [binary("X", shape, datatype, size)]}, content))

    assert reply.status in {200, 400}, reply.body
