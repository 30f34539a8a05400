"""What callers call their rows goes along with what is captured of them, where it is accepted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.serve.http_calls import Reply, call, make_bench, tensor
from tests.unit.serve.made_models import mixed, numeric

from evermodel.contract import CallerIds, CaptureRules

ACCEPT = CaptureRules(caller_ids=CallerIds.ACCEPT)
INFER, PREDICT = "/v2/models/iris/infer", "/v1/models/iris:predict"


def matrix(rows: int, **more: Any) -> dict[str, Any]:
    return {"inputs": [tensor("X", [[0.5, 0.5, 1]] * rows, [rows, 3])], **more}


def columns(**more: Any) -> dict[str, Any]:
    inputs = [tensor("age", [3], [1]), tensor("size", [0.5], [1]), tensor("city", ["Rome"], [1], "BYTES")]
    return {"inputs": inputs, **more}


def instances(rows: int, **more: Any) -> dict[str, Any]:
    return {"instances": [[0.5, 0.5, 1]] * rows, **more}


async def answered(path: str, body: dict[str, Any], rules: CaptureRules = ACCEPT) -> tuple[Reply, list[str | None]]:
    """Return the answer, and what the captured rows are called."""
    bench = make_bench(mixed() if body.get("inputs", [{}])[0].get("name") == "age" else numeric())
    bench.captures.rules = rules
    reply = await call(bench.app, "POST", path, body)
    return reply, [capture.caller for capture in bench.captures.oldest(10).captures]


@pytest.mark.parametrize(
    ("path", "body", "callers"),
    [
        pytest.param(INFER, matrix(1, id="order-1"), ["order-1"], id="the id of a request of one row"),
        pytest.param(INFER, columns(id="order-1"), ["order-1"], id="and of columns"),
        pytest.param(INFER, matrix(2, id="batch"), [None, None], id="of several rows it is no row's"),
        pytest.param(INFER, matrix(2, parameters={"ids": ["a", "b"]}), ["a", "b"], id="a parameter for several"),
        pytest.param(INFER, matrix(1, id="x", parameters={"ids": ["a"]}), ["a"], id="the parameter before the id"),
        pytest.param(INFER, matrix(1), [None], id="none"),
        pytest.param(INFER, matrix(1, id="x" * 257), [None], id="too long for the id of a row"),
        pytest.param(INFER, matrix(1, id=""), [None], id="empty"),
        pytest.param(PREDICT, instances(2, ids=["a", "ä/1"]), ["a", "ä/1"], id="plain JSON"),
        pytest.param(PREDICT, instances(2), [None, None], id="plain JSON without"),
    ],
)
async def test_each_row_has_what_its_caller_calls_it(path: str, body: Any, callers: list[str | None]) -> None:
    reply, found = await answered(path, body)
    assert reply.status == 200
    assert found == callers


@pytest.mark.parametrize(
    "ids",
    [["a"], ["a", "b", "c"], ["a", ""], ["a", "x" * 257], []],
    ids=["too few", "too many", "empty", "too long", "none"],
)
@pytest.mark.parametrize("path", [INFER, PREDICT])
async def test_ids_that_are_not_one_for_each_row_are_refused(path: str, ids: list[str]) -> None:
    body = matrix(2, parameters={"ids": ids}) if path == INFER else instances(2, ids=ids)
    reply, found = await answered(path, body)
    assert (reply.status, reply.error) == (400, "ids must be 2 texts of 1 to 256 characters: one for each row")
    assert found == []


@pytest.mark.parametrize("ids", ["ab", [1, 2], {"a": "b"}])
async def test_a_parameter_that_is_no_list_of_texts_is_refused(ids: Any) -> None:
    assert (await answered(INFER, matrix(2, parameters={"ids": ids})))[0].status == 400


@pytest.mark.parametrize(
    ("path", "body"), [(INFER, matrix(1, parameters={"ids": ["a"]})), (PREDICT, instances(1, ids=["a"]))]
)
async def test_where_they_are_not_accepted_it_is_said(path: str, body: Any) -> None:
    reply, found = await answered(path, body, CaptureRules())
    assert reply.status == 400
    assert "declare monitoring.capture.callerIds: Accept" in reply.error
    assert found == []


async def test_where_they_are_not_accepted_the_id_of_a_request_is_as_the_protocol_has_it() -> None:
    reply, found = await answered(INFER, matrix(1, id="order-1"), CaptureRules())
    assert (reply.status, reply.json["id"], found) == (200, "order-1", [None])
