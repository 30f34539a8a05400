"""Plain JSON, …:predict: rows as lists or by column name, answered as tensors are, and refused by row and column."""

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.serve.http_calls import NOW, TOKEN, Bench, Reply, call, make_bench, tensor
from tests.unit.serve.made_models import Made, by_skops, mixed, numeric

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.quality.prediction_id import Issued, Signer
from evermodel_runtime.serve.instances import read_instances
from evermodel_runtime.serve.protocol import MAX_ROWS, Datatype, InferInput, RequestError
from evermodel_runtime.serve.rows import Rows, Schema, read_rows

NUMBERS = [[0, 5, 1], [7, 2, 1]]
CITY = {"size": 0.5, "city": "Rome", "age": 7}
SCHEMA = Schema.of(
    [
        Column(name="sold", kind=ColumnKind.DATE),
        Column(name="size", kind=ColumnKind.NUMBER, nullable=True),
        Column(name="city", kind=ColumnKind.TEXT, nullable=True),
        Column(name="age", kind=ColumnKind.NUMBER),
    ]
)
GOOD = {"sold": "2026-01-31", "size": 1.5, "city": "Rome", "age": 7}


async def predict(bench: Bench, instances: Any, path: str = "/v1/models/iris:predict") -> Reply:
    return await call(bench.app, "POST", path, {"instances": instances})


@pytest.mark.parametrize(
    ("made", "instances", "tensors"),
    [
        pytest.param(numeric(), NUMBERS, [tensor("X", NUMBERS, [2, 3])], id="lists in column order"),
        pytest.param(
            numeric(),
            [{"c": 1, "a": 0, "b": 5}, [7.0, 2, True]],
            [tensor("X", NUMBERS, [2, 3])],
            id="objects in any order, beside a list; true is 1",
        ),
        pytest.param(numeric(("x", "y", "z")), NUMBERS, [tensor("X", NUMBERS, [2, 3])], id="classes are words"),
        pytest.param(numeric((False, True)), NUMBERS, [tensor("X", NUMBERS, [2, 3])], id="classes are booleans"),
        pytest.param(numeric(probabilities=False), NUMBERS, [tensor("X", NUMBERS, [2, 3])], id="no probabilities"),
        pytest.param(by_skops(numeric()), NUMBERS, [tensor("X", NUMBERS, [2, 3])], id="scikit-learn"),
        pytest.param(
            mixed(),
            [CITY],
            [tensor("age", [7], [1]), tensor("city", ["Rome"], [1], "BYTES"), tensor("size", [0.5], [1])],
            id="text",
        ),
    ],
)
async def test_instances_are_answered_as_tensors_are(made: Made, instances: Any, tensors: Any) -> None:
    bench = make_bench(made)
    outputs = {output["name"]: output for output in (await bench.infer({"inputs": tensors})).json["outputs"]}

    reply = await predict(bench, instances)

    assert reply.status == 200, reply.body
    assert reply.json["predictions"] == outputs["label"]["data"]
    assert (reply.json["model_name"], reply.json["model_version"]) == ("iris", "3")
    if "probabilities" in outputs:
        shape = outputs["probabilities"]["shape"]
        assert reply.json["probabilities"] == np.reshape(outputs["probabilities"]["data"], shape).tolist()
        assert reply.json["classes"] == list(made.manifest.classes)
    else:
        assert not {"probabilities", "classes"} & set(reply.json)


async def test_each_instance_has_an_id_is_captured_and_counted() -> None:
    bench = make_bench(numeric())

    reply = await predict(bench, NUMBERS)

    ids = reply.json["prediction_ids"]
    issued = [Signer(TOKEN, "iris").verify(each) for each in ids]
    assert [(i.version, i.at, i.predicted) for i in issued if isinstance(i, Issued)] == [(3, NOW, "1"), (3, NOW, "0")]
    assert [(capture.id, capture.row) for capture in bench.captures.oldest(9).captures] == [
        (ids[0], (0.0, 5.0, 1.0)),
        (ids[1], (7.0, 2.0, 1.0)),
    ]
    assert bench.measures.predictions == 2
    assert b'evermodel_server_requests_total{code="200",route="predict"} 1.0' in (await bench.get("/metrics")).body


async def test_instances_and_tensors_that_come_together_share_a_call_of_scikit_learn() -> None:
    bench = make_bench(by_skops(numeric()))

    plain, tensors = await asyncio.gather(
        predict(bench, NUMBERS[:1]), bench.infer({"inputs": [tensor("X", NUMBERS[1], [1, 3])]})
    )

    assert (plain.json["predictions"], tensors.json["outputs"][0]["data"]) == ([1], [0])


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        pytest.param("/v1/models", 200, {"models": ["iris"]}, id="models"),
        pytest.param("/v1/models/iris", 200, {"name": "iris", "ready": True}, id="readiness"),
        pytest.param(
            "/v1/models/wine:predict", 404, {"error": "model 'wine' is not here: this server has 'iris'"}, id="other"
        ),
        pytest.param("/v1/models/iris:predict", 405, {"error": "GET is not possible here: use POST"}, id="no GET"),
    ],
)
async def test_the_routes_beside_are_those_of_kserve(path: str, status: int, answer: Any) -> None:
    reply = await make_bench(numeric()).get(path)

    assert (reply.status, reply.json) == (status, answer)


async def test_a_pod_without_a_model_says_so() -> None:
    bench = make_bench(None)

    assert (await bench.get("/v1/models/iris")).json["ready"] is False
    assert (await bench.get("/v1/models/iris")).status == 503
    reply = await predict(bench, NUMBERS)
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


async def test_the_versions_own_path_answers_too() -> None:
    bench = make_bench(numeric())

    assert (await predict(bench, NUMBERS, "/v1/models/iris/versions/3:predict")).json["predictions"] == [1, 0]
    other = await predict(bench, NUMBERS, "/v1/models/iris/versions/2:predict")
    assert (other.status, other.error) == (404, "version '2' is not here: this server has version 3")


async def test_bytes_of_tensors_belong_elsewhere() -> None:
    headers = [(b"inference-header-content-length", b"10")]
    reply = await call(make_bench(numeric()).app, "POST", "/v1/models/iris:predict", {"instances": []}, headers=headers)

    assert (reply.status, reply.error) == (415, "instances are no tensors: send bytes to /v2/models/iris/infer")


def read(instances: Any) -> Rows:
    body = instances if isinstance(instances, bytes) else msgspec.json.encode(instances)
    return read_instances(SCHEMA, body)[0]


def row(**changes: Any) -> dict[str, Any]:
    return {"instances": [GOOD, GOOD | changes]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "the body is empty", id="nothing"),
        pytest.param(b'{"instances": [[1, NaN]]}', "NaN and Infinity are neither JSON", id="NaN"),
        pytest.param(b'{"instances": ' + b"[" * 100_000, "the body is not JSON", id="deeply nested"),
        pytest.param({"inputs": []}, 'no instances like {"instances": [[…], …]}', id="another protocol"),
        pytest.param({"instances": [GOOD, 7]}, "got `int` - at `$.instances[1]`", id="a row is a number"),
        pytest.param({"instances": []}, "the request has no instances: send at least one", id="no rows"),
        pytest.param(
            {"instances": [GOOD, ["2026-01-31", 1.5]]},
            "row 1 has 2 values; expected 4, in this order: 'sold', 'size', 'city', 'age'",
            id="a list too short",
        ),
        pytest.param(
            {"instances": [{"sold": "2026-01-31", "size": 1.5, "city": "Rome"}]},
            "row 0 lacks column 'age' (1 in all); the model takes 'sold', 'size', 'city', 'age'",
            id="a column missing",
        ),
        pytest.param(
            {"instances": [{"sold": "2026-01-31", "age": 7}]},
            "row 0 lacks column 'size' (2 in all); the model takes 'sold', 'size', 'city', 'age'; a missing value is "
            "sent as null",
            id="a column that may be null",
        ),
        pytest.param(row(colour="red"), "row 1 has 'colour', which is no column of the model", id="an unknown column"),
        pytest.param(row(age="7"), "row 1 of column 'age' is the text '7', not a number", id="text for a number"),
        pytest.param(row(age=None), "row 1 of column 'age' is null (missing values are", id="null where none may be"),
        pytest.param(row(age=[7]), "row 1 of column 'age' is a list, not a number", id="a list for a number"),
        pytest.param(row(age=1e39), "row 1 of column 'age' is 1e+39; numbers must be finite", id="beyond 32 bits"),
        pytest.param(row(city=5), "row 1 of column 'city' is the number 5, not a text", id="number for text"),
        pytest.param(row(sold=20260131), "is the number 20260131, not a date as text", id="number for a date"),
        pytest.param(row(sold="31/1"), "row 1 of column 'sold' is the text '31/1', not a date: send ISO", id="no date"),
    ],
)
def test_bad_instances_are_refused_by_row_and_column(body: Any, words: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(body)

    assert words in str(refused.value)
    assert refused.value.status == 400


def test_too_many_instances_are_too_large() -> None:
    with pytest.raises(RequestError, match=r"10,001 instances; it may have 10,000") as refused:
        read({"instances": [[]] * (MAX_ROWS + 1)})

    assert refused.value.status == 413


numbers = st.floats(-1e30, 1e30) | st.integers(-(2**70), 2**70)
texts = st.sampled_from(["Rome", "", "Røros"])
rows = st.lists(
    st.fixed_dictionaries(
        {
            "sold": st.sampled_from(["2026-01-31", "2026-01-31T23:30:00-02:00"]),
            "size": st.none() | numbers,
            "city": st.none() | texts,
            "age": numbers,
        }
    ),
    min_size=1,
    max_size=4,
)


@given(table=rows)
def test_lists_objects_and_tensors_make_the_same_rows(table: list[dict[str, Any]]) -> None:
    datatypes = {"sold": Datatype.BYTES, "size": Datatype.FP64, "city": Datatype.BYTES, "age": Datatype.FP64}
    by_tensors = read_rows(
        SCHEMA,
        [InferInput(name, (len(table),), each, [row[name] for row in table]) for name, each in datatypes.items()],
    )

    for instances in (
        table,
        [[row[name] for name in SCHEMA.names] for row in table],
        [dict(reversed(row.items())) for row in table],
    ):
        plain = read({"instances": instances})
        assert plain.count == by_tensors.count
        assert plain.texts == by_tensors.texts
        np.testing.assert_array_equal(plain.numbers32, by_tensors.numbers32)
        np.testing.assert_array_equal(plain.received, by_tensors.received)


scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=3)
)
cells = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
any_rows = st.lists(
    st.lists(cells, min_size=3, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "age", "city"]), cells),
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(instances=any_rows | cells)
@pytest.mark.parametrize("bench", [make_bench(numeric()), make_bench(mixed())], ids=["numbers", "text"])
def test_any_instances_are_answered_or_refused(bench: Bench, instances: Any) -> None:
    reply = asyncio.run(predict(bench, instances))

    assert reply.status in (200, 400), reply.body
    assert reply.json["prediction_ids"] if reply.status == 200 else reply.error
