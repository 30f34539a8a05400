"""Routes: probes, metadata, metrics, and what is not there."""

from typing import Any

import pytest
from tests.unit.serve.http_calls import call, make_bench, tensor
from tests.unit.serve.made_models import mixed, numeric

import evermodel

ROW = {"inputs": [tensor("X", [[0, 5, 1]], [1, 3])]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(
            "/v2",
            {"name": "evermodel", "version": evermodel.__version__, "extensions": ["binary_tensor_data"]},
            id="server",
        ),
        pytest.param("/v2/health/live", {"live": True}, id="live"),
        pytest.param("/v2/health/ready", {"ready": True}, id="ready"),
        pytest.param("/v2/models/iris/ready", {"name": "iris", "ready": True}, id="model ready"),
        pytest.param("/v2/models/iris/versions/3/ready", {"name": "iris", "ready": True}, id="version ready"),
    ],
)
async def test_a_ready_pod_says_so(path: str, body: dict[str, Any]) -> None:
    reply = await make_bench(numeric()).get(path)

    assert (reply.status, reply.json, reply.headers["content-type"]) == (200, body, "application/json")


@pytest.mark.parametrize("path", ["/v2/models/iris", "/v2/models/iris/versions/3"])
async def test_metadata_tells_how_to_ask(path: str) -> None:
    assert (await make_bench(numeric()).get(path)).json == {
        "name": "iris",
        "versions": ["3"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "X", "datatype": "FP64", "shape": [-1, 3], "parameters": {"columns": ["a", "b", "c"]}}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1], "parameters": {"classes": [0, 1, 2]}},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 3], "parameters": {"classes": [0, 1, 2]}},
        ],
    }


async def test_metadata_of_a_model_with_text_has_an_input_for_each_column() -> None:
    metadata = (await make_bench(mixed()).get("/v2/models/iris")).json

    assert metadata["inputs"] == [
        {"name": "age", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "city", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "size", "datatype": "FP64", "shape": [-1, 1]},
    ]


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        pytest.param("GET", "/v2/models/wine", 404, "model 'wine' is not here: this server has 'iris'", id="model"),
        pytest.param(
            "POST", "/v2/models/wine/infer", 404, "model 'wine' is not here: this server has 'iris'", id="infer"
        ),
        pytest.param(
            "POST",
            "/v2/models/iris/versions/2/infer",
            404,
            "version '2' is not here: this server has version 3",
            id="version",
        ),
        pytest.param("GET", "/", 404, "there is nothing at this path: see /v2/models/iris", id="root"),
        pytest.param(
            "GET", "/v2/models/iris/scores", 404, "there is nothing at this path: see /v2/models/iris", id="verb"
        ),
        pytest.param("GET", "/v2/models/iris/infer", 405, "GET is not possible here: use POST", id="get infer"),
        pytest.param("DELETE", "/v2/models/iris", 405, "DELETE is not possible here: use GET, HEAD", id="delete"),
        pytest.param("POST", "/v2/health/ready", 405, "POST is not possible here: use GET, HEAD", id="post ready"),
    ],
)
async def test_what_is_not_there_is_named(method: str, path: str, status: int, error: str) -> None:
    reply = await call(make_bench(numeric()).app, method, path)

    assert (reply.status, reply.error) == (status, error)
    assert ("allow" in reply.headers) == (status == 405)


async def test_the_versions_own_path_answers_the_same() -> None:
    reply = await call(make_bench(numeric()).app, "POST", "/v2/models/iris/versions/3/infer", ROW)

    assert reply.json["outputs"][0]["data"] == [1]


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v2/models/iris/ready"])
async def test_a_pod_without_a_model_is_live_and_says_what_it_waits_for(path: str) -> None:
    bench = make_bench(None)
    bench.readiness.reason = "waiting for the hub at http://hub: connection refused"

    reply = await bench.get(path)
    assert (reply.status, reply.json["ready"]) == (503, False)
    assert reply.error == "waiting for the hub at http://hub: connection refused"
    assert (await bench.get("/v2/health/live")).status == 200

    refusal = await bench.infer(ROW)
    assert (refusal.status, refusal.headers["retry-after"]) == (503, "5")
    assert refusal.error == "the model is not ready: waiting for the hub at http://hub: connection refused"
    assert (await bench.get("/v2/models/iris")).status == 503


async def test_a_draining_pod_answers_and_asks_to_close() -> None:
    bench = make_bench(numeric())
    assert "connection" not in (await bench.infer(ROW)).headers

    bench.readiness.drain()

    reply = await bench.infer(ROW)
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    ready = await bench.get("/v2/health/ready")
    assert (ready.status, ready.error) == (503, "draining: this pod is shutting down")
    assert (await bench.get("/v2/health/live")).status == 200


async def test_metrics_tell_requests_rows_and_the_model() -> None:
    bench = make_bench(numeric())
    await bench.infer(ROW)
    await bench.infer(b"")
    await bench.get("/nowhere")

    text = (await bench.get("/metrics")).body.decode()

    for line in (
        'evermodel_server_requests_total{code="200",route="infer"} 1.0',
        'evermodel_server_requests_total{code="400",route="infer"} 1.0',
        'evermodel_server_requests_total{code="404",route="unknown"} 1.0',
        "evermodel_server_prediction_rows_total 1.0",
        "evermodel_server_inference_seconds_count 1.0",
        "evermodel_server_captures_dropped_total 0.0",
        "evermodel_server_ready 1.0",
    ):
        assert line in text
    assert 'evermodel_server_model_info{manifest="' in text
