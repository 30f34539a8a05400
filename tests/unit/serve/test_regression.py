"""A regressor over the protocol: one number for each row, signed in its id, and no answer that is no number."""

from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import Ridge
from sklearn.neighbors import RadiusNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.unit.serve.http_calls import TOKEN, make_bench, tensor
from tests.unit.serve.made_models import Made, by_skops, digest, numeric

from evermodel.contract import Task
from evermodel_runtime.quality.prediction_id import Issued, Signer

NUMBERS = {"inputs": [tensor("X", [0, 5, 1, 7, 2, 1], [2, 3])]}


@cache
def regressor(estimator: Any = None) -> Made:
    """Three numeric columns a, b, c; the number follows from them."""
    rows = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    fitted = (estimator or make_pipeline(StandardScaler(), Ridge())).fit(rows, rows @ [3.0, -1.0, 0.5] + 10)
    onnx = to_onnx(fitted, rows[:1], target_opset=17).SerializeToString()
    manifest = msgspec.structs.replace(
        numeric().manifest, task=Task.REGRESSION, classes=(), majority=None, mean=10.0, median=10.0, onnx=digest(onnx)
    )
    return Made(onnx, manifest, fitted)


def stored(estimator: Any) -> Made:
    return by_skops(regressor(estimator))


@pytest.mark.parametrize("made", [regressor(), by_skops(regressor())], ids=["onnx", "skops"])
async def test_each_row_gets_one_number(made: Made) -> None:
    reply = await make_bench(made).infer(NUMBERS)

    (answer,) = reply.json["outputs"]
    expected = made.estimator.predict(np.array([[0, 5, 1], [7, 2, 1]], np.float32))
    assert (answer["name"], answer["datatype"], answer["shape"]) == ("prediction", "FP64", [2])
    assert answer["data"] == pytest.approx(expected.tolist(), rel=1e-5)


async def test_the_id_signs_the_very_number_that_was_answered() -> None:
    reply = await make_bench(regressor()).infer(NUMBERS)

    signer = Signer(TOKEN, "iris")
    issued = [signer.verify(one) for one in reply.json["parameters"]["prediction_ids"]]
    numbers = [one.predicted for one in issued if isinstance(one, Issued)]
    assert numbers == reply.json["outputs"][0]["data"]


async def test_the_metadata_say_that_it_is_a_number() -> None:
    answer = await make_bench(regressor()).get("/v2/models/iris")

    assert answer.json["outputs"] == [{"name": "prediction", "datatype": "FP64", "shape": [-1]}]


@pytest.mark.parametrize("output", ["label", "probabilities"])
async def test_it_has_no_classes_to_ask_for(output: str) -> None:
    reply = await make_bench(regressor()).infer({**NUMBERS, "outputs": [{"name": output}]})

    assert (reply.status, reply.error) == (
        400,
        f"output {output!r} is not known: this model answers with 'prediction'",
    )


@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
async def test_a_row_without_a_finite_answer_is_refused_and_others_are_not() -> None:
    bench = make_bench(stored(RadiusNeighborsRegressor(radius=2.0)))

    far = await bench.infer({"inputs": [tensor("X", [0, 0, 0, 900, 900, 900], [2, 3])]})
    near = await bench.infer({"inputs": [tensor("X", [0, 0, 0], [1, 3])]})

    assert (far.status, far.error) == (
        400,
        "the model does not answer these rows: its answer to row 1 is no finite number",
    )
    assert near.status == 200
