"""Erasing at the model's URL: the hub's word is passed on, and nothing is promised without it."""

from __future__ import annotations

import pytest
from tests.unit.serve.http_calls import ToldHub, call, make_bench
from tests.unit.serve.made_models import numeric

from evermodel_runtime.serve.hub_client import HubAnswer

RECORD = "/v2/models/iris/records/"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        pytest.param("abc-_9", "abc-_9", id="an id of ours"),
        pytest.param("order%204711%2F7", "order 4711/7", id="percent-encoded"),
        pytest.param("a/b", "a/b", id="with a slash"),
        pytest.param("a?b=c", "a", id="with a query"),
    ],
)
async def test_the_hub_is_asked_for_the_id_of_the_path(path: str, asked: str) -> None:
    bench = make_bench(None)  # a model that is not loaded yet
    reply = await call(bench.app, "DELETE", RECORD + path)
    assert (reply.status, reply.json) == (200, {"rows": 1})
    assert bench.hub.erasures == [asked]


@pytest.mark.parametrize(
    ("told", "status", "retry_after"),
    [
        pytest.param(HubAnswer(404, b'{"error": "no prediction"}'), 404, None, id="an id of nobody"),
        pytest.param(HubAnswer(429, b'{"error": "busy"}', "1"), 429, "1", id="a busy hub"),
        pytest.param(HubAnswer(507, b'{"error": "full"}', "30"), 507, "30", id="a full volume"),
        pytest.param(HubAnswer(500, b'{"error": "failed"}'), 503, "2", id="a hub that fails"),
        pytest.param(None, 503, "2", id="no hub"),
    ],
)
async def test_what_was_not_erased_is_said(told: HubAnswer | None, status: int, retry_after: str | None) -> None:
    reply = await call(make_bench(numeric(), ToldHub(told)).app, "DELETE", RECORD + "abc")
    assert (reply.status, reply.headers.get("retry-after")) == (status, retry_after)
    assert reply.error


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "abc", 405), ("POST", "abc", 405), ("DELETE", "", 404)])
async def test_a_record_is_erased_and_nothing_else(method: str, path: str, status: int) -> None:
    bench = make_bench(numeric())
    assert (await call(bench.app, method, RECORD + path)).status == status
    assert bench.hub.erasures == []
