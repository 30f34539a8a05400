"""A model that skops stored answers as its ONNX model does, and once for all requests that come together."""

import asyncio
from typing import Any

import pytest
from tests.unit.serve.http_calls import Bench, ToldHub, make_bench, tensor
from tests.unit.serve.made_models import Made, by_skops, mixed, numeric, serve_config

from evermodel_runtime.data.rows import Inputs
from evermodel_runtime.serve.artifact import NotLoadedError, load
from evermodel_runtime.serve.model import ModelLoadError
from evermodel_runtime.serve.prediction import Prediction

NUMBERS = {"inputs": [tensor("X", [0, 5, 1, 7, 2, 1], [2, 3])]}


def city(name: str) -> dict[str, Any]:
    return {"inputs": [tensor("age", [7], [1]), tensor("city", [name], [1], "BYTES"), tensor("size", [0.5], [1])]}


@pytest.mark.parametrize(
    ("made", "request_"),
    [
        pytest.param(numeric(), NUMBERS, id="numbers"),
        pytest.param(numeric(("x", "y", "z")), NUMBERS, id="words"),
        pytest.param(numeric(probabilities=False), NUMBERS, id="labels alone"),
        pytest.param(mixed(), city("Rome"), id="text"),
        pytest.param(mixed(), city("Paris"), id="text that is new"),
    ],
)
async def test_both_formats_answer_alike(made: Made, request_: dict[str, Any]) -> None:
    onnx = (await make_bench(made).infer(request_)).json["outputs"]
    skops = (await make_bench(by_skops(made)).infer(request_)).json["outputs"]

    assert skops[0] == onnx[0]
    assert len(skops) == len(onnx)
    for mine, other in zip(skops[1:], onnx[1:], strict=True):
        assert mine["shape"] == other["shape"]
        assert mine["data"] == pytest.approx(other["data"], abs=1e-5)


async def test_the_metadata_name_the_platform() -> None:
    answers = [await make_bench(made).get("/v2/models/iris") for made in (numeric(), by_skops(numeric()))]

    assert [answer.json["platform"] for answer in answers] == ["onnxruntime_onnx", "sklearn_skops"]


def counting(bench: Bench) -> list[int]:
    """How many rows each call of the model gets from now on."""
    assert bench.app.inference is not None
    model, calls = bench.app.inference.model, list[int]()
    predict = model.predict

    def counted(inputs: Inputs) -> Prediction:
        calls.append(len(inputs[0]) if isinstance(inputs, list) else len(inputs))
        return predict(inputs)

    model.predict = counted  # type: ignore[method-assign]  # the model is real, its calls are counted
    return calls


async def test_requests_that_come_together_are_one_call_and_each_gets_its_own_answers() -> None:
    bench = make_bench(by_skops(numeric()))
    calls = counting(bench)
    rows = [[0, 5, 1], [7, 2, 1], [0, 1, 9], [3, 2, 1]]

    replies = await asyncio.gather(*(bench.infer({"inputs": [tensor("X", row, [1, 3])]}) for row in rows))
    wrong = bench.infer({"inputs": [tensor("X", [1, 2], [1, 2])]})
    both = await asyncio.gather(bench.infer(NUMBERS), wrong)

    assert [reply.json["outputs"][0]["data"] for reply in replies] == [[1], [0], [2], [0]]
    assert [reply.status for reply in both] == [200, 400]
    assert calls == [4, 2]
    assert len({reply.json["parameters"]["prediction_ids"][0] for reply in replies}) == 4
    assert bench.measures.predictions == 6


async def test_text_of_several_requests_stays_with_its_request() -> None:
    bench = make_bench(by_skops(mixed()))
    calls = counting(bench)

    together = await asyncio.gather(*(bench.infer(city(name)) for name in ("Rome", "Oslo", "Paris")))
    alone = [await bench.infer(city(name)) for name in ("Rome", "Oslo", "Paris")]

    assert [reply.json["outputs"] for reply in together] == [reply.json["outputs"] for reply in alone]
    assert calls == [3, 1, 1, 1]


async def test_a_row_that_is_refused_refuses_no_other() -> None:
    bench = make_bench(by_skops(mixed("error")))

    replies = await asyncio.gather(*(bench.infer(city(name)) for name in ("Rome", "Paris", "Oslo")))

    assert [reply.status for reply in replies] == [200, 400, 200]
    assert "Found unknown categories ['Paris']" in replies[1].error


async def test_an_archive_with_a_type_that_is_not_on_the_list_is_never_served() -> None:
    made = by_skops(numeric())
    forged = made.onnx.replace(b"LogisticRegression", b"LogisticRegressioM")
    hub = ToldHub()
    changed = Made(forged, made.manifest, made.estimator)
    hub.blobs = {made.digest: made.manifest_bytes, made.manifest.artifact: made.onnx}
    assert (await load(hub, serve_config(made))).platform == "sklearn_skops"
    hub.blobs[made.manifest.artifact] = forged

    with pytest.raises(NotLoadedError, match="artifact digest mismatch: the skops archive"):
        await load(hub, serve_config(made))
    with pytest.raises(ModelLoadError, match="the skops archive cannot be loaded"):
        changed.load()
