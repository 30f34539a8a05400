"""The OpenAPI document has every route with its methods, and the columns of the model that is served."""

import asyncio
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType
from tests.unit.serve.http_calls import Bench, call, make_bench, tensor
from tests.unit.serve.made_models import mixed, numeric, serve_config

from evermodel.contract import CallerIds, CaptureRules, Column, ColumnKind
from evermodel_runtime.serve.openapi import OPERATIONS, document
from evermodel_runtime.serve.rows import Schema

MIXED = make_bench(mixed())
ROW = {"inputs": [tensor("X", [[0, 5, 1]], [1, 3])]}


async def described(bench: Bench) -> Any:
    reply = await bench.get("/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return reply.json


def instance(doc: Any) -> Any:
    return doc["components"]["schemas"]["PredictRequest"]["properties"]["instances"]["items"]


async def test_every_operation_is_there_by_its_method_and_under_a_name_of_its_own() -> None:
    bench = make_bench(numeric())
    doc = await described(bench)

    names = [operation["operationId"] for path in doc["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)
    assert {"v1_model_predict", "v2_model_infer", "v2_model_version_infer", "v2_model_feedback"} <= set(names)
    for path, operations in doc["paths"].items():
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            status = (await call(bench.app, method, path)).status
            assert (status != 405) == (method.lower() in operations), (method, path)
    summaries = {operation["summary"] for path in doc["paths"].values() for operation in path.values()}
    assert summaries == {operation.summary for operation in OPERATIONS.values()}


async def test_what_may_be_sent_again_later_says_when() -> None:
    paths = (await described(make_bench(numeric())))["paths"]

    responses = paths["/v2/models/iris/feedback"]["post"]["responses"]
    assert [status for status, response in responses.items() if "Retry-After" in response.get("headers", {})] == [
        "503",
        "429",
        "507",
    ]
    assert "headers" not in paths["/v2/health/ready"]["get"]["responses"]["503"]  # a probe asks when it likes


@pytest.mark.parametrize(
    ("rules", "described"),
    [
        (CaptureRules(caller_ids=CallerIds.ACCEPT), True),
        (CaptureRules(caller_ids=CallerIds.IGNORE), False),
        (UNSET, False),
    ],
    ids=["accepted", "ignored", "without capture"],
)
def test_ids_of_callers_are_described_where_they_are_taken(rules: CaptureRules | UnsetType, described: bool) -> None:  # noqa: FBT001 - a case
    config = msgspec.structs.replace(serve_config(numeric()), capture_rules=rules)
    fields = document(config, {"/p": "predict"}, None)["components"]["schemas"]["PredictRequest"]["properties"]

    assert ("ids" in fields) == described
    if described:
        assert not jsonschema_rs.is_valid(fields["ids"], ["x" * 257])
        assert jsonschema_rs.is_valid(fields["ids"], ["x" * 256])


async def test_instances_have_the_models_columns() -> None:
    by_name, in_order = instance(await described(make_bench(mixed())))["anyOf"]

    assert by_name["required"] == ["age", "city", "size"]
    assert by_name["additionalProperties"] is False
    assert [column["type"] for column in by_name["properties"].values()] == [
        ["number", "boolean"],
        ["string"],
        ["number", "boolean"],
    ]
    assert in_order["prefixItems"] == list(by_name["properties"].values())


def test_a_column_that_may_be_missing_takes_null() -> None:
    schema = Schema.of(
        [
            Column(name="size", kind=ColumnKind.NUMBER, nullable=True),
            Column(name="sold", kind=ColumnKind.DATE, nullable=True),
        ]
    )
    doc = document(serve_config(numeric()), {"/": "server"}, schema)

    types = {name: column["type"] for name, column in instance(doc)["anyOf"][0]["properties"].items()}
    assert types == {"size": ["number", "boolean", "null"], "sold": ["string", "null"]}


async def test_before_the_model_is_there_instances_are_of_any_columns() -> None:
    assert instance(await described(make_bench(None))) == {"anyOf": [{"type": "array"}, {"type": "object"}]}


scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e39, 1e39) | st.text(max_size=3)
by_name = st.fixed_dictionaries(
    {"age": scalars, "city": st.text(max_size=3) | scalars},
    optional={"size": st.floats(-9, 9) | scalars, "colour": scalars},
)
in_order = st.tuples(st.integers(0, 99) | scalars, st.text(max_size=3), st.floats(-9, 9) | scalars).map(list)


@settings(max_examples=300, deadline=None)
@given(instances=st.lists(by_name | in_order | st.lists(scalars, max_size=4), max_size=2))
def test_what_the_document_allows_is_what_the_server_takes(instances: Any) -> None:
    doc = asyncio.run(described(MIXED))
    request = {"$ref": "#/components/schemas/PredictRequest", "components": doc["components"]}

    reply = asyncio.run(call(MIXED.app, "POST", "/v1/models/iris:predict", {"instances": instances}))

    assert (reply.status == 200) == jsonschema_rs.is_valid(request, {"instances": instances}), reply.body


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        pytest.param("application/json", 200, id="JSON"),
        pytest.param("Application/JSON; charset=utf-8", 200, id="JSON with a charset"),
        pytest.param("application/cloudevents+json", 200, id="a kind of JSON"),
        pytest.param("application/x-www-form-urlencoded", 200, id="what curl says of all data"),
        pytest.param("application/octet-stream", 200, id="bytes"),
        pytest.param("text/plain", 200, id="text"),
        pytest.param("text/csv", 415, id="CSV"),
        pytest.param("multipart/form-data; boundary=x", 415, id="a form with files"),
        pytest.param("", 415, id="an empty type"),
    ],
)
async def test_other_content_types_are_refused(content_type: str, status: int) -> None:
    reply = await make_bench(numeric()).infer(ROW, headers=[(b"content-type", content_type.encode())])

    assert reply.status == status
    if status == 415:
        assert reply.error == f"content-type {content_type!r} is not supported: send application/json"
