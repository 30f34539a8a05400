"""A value that is missing in a request is filled as one that was missing in training."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.runtime.made_runs import as_csv, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings
from tests.unit.serve.http_calls import make_bench, tensor
from tests.unit.serve.made_models import Made

from evermodel.contract import Capture
from evermodel_runtime.train.job import train

HEIGHTS = [row["height"] for row in make_table(200)]
ROWS = [
    row | {"height": "" if place % 9 == 0 else row["height"], "colour": "" if place % 11 == 0 else row["colour"]}
    for place, row in enumerate(make_table(200))
]


@pytest.fixture(scope="module")
def made() -> Made:
    """A model of flowers, of which some had no height or no colour; each had a width."""
    hub = MemoryHub(datasets={"flowers.csv": as_csv(ROWS)})
    run = make_train_run(data=make_source(id_column="id"), estimator="LogisticRegression")
    manifest = hub.manifest(train(run, surroundings(hub, Path("/nowhere"))).manifest)
    return Made(hub.blob(manifest.artifact), manifest, None)


def request(height: object, width: object, colour: object, datatype: str = "FP64") -> dict[str, Any]:
    return {
        "inputs": [
            tensor("height", [height], [1], datatype),
            tensor("width", [width], [1]),
            tensor("colour", [colour], [1], "BYTES"),
        ]
    }


async def probabilities(made: Made, body: dict[str, Any]) -> list[float]:
    reply = await make_bench(made).infer(body)
    assert reply.status == 200, reply.body
    found: list[float] = reply.json["outputs"][1]["data"]
    return found


async def test_null_is_the_median_of_training(made: Made) -> None:
    learnt = [float(row["height"]) for row in ROWS if row["height"] != ""]
    low, high = min(learnt), max(learnt)

    missing = await probabilities(made, request(None, 0.5, "red"))

    assert missing == await probabilities(made, request(None, 0.5, "red", "INT32"))
    below, above = (
        await probabilities(made, request(low, 0.5, "red")),
        await probabilities(made, request(high, 0.5, "red")),
    )
    assert min(below[0], above[0]) < missing[0] < max(below[0], above[0])


async def test_a_missing_text_is_the_category_that_training_made_of_it(made: Made) -> None:
    null, empty = await probabilities(made, request(1, 0, None)), await probabilities(made, request(1, 0, ""))

    assert null == empty == await probabilities(made, request(1, 0, "missing"))
    assert null != await probabilities(made, request(1, 0, "red"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(
            request(1, None, "red"), "row 0 of column 'width' (input 'width') is null", id="a column that was complete"
        ),
        pytest.param(request("5", 1, "red"), "is the text '5', not FP64", id="text for a number that may be missing"),
        pytest.param(request(1, 1, 5), "is the number 5, not BYTES", id="a number for a text that may be missing"),
    ],
)
async def test_what_was_never_missing_is_refused(made: Made, body: dict[str, Any], words: str) -> None:
    reply = await make_bench(made).infer(body)

    assert (reply.status, words in reply.json["error"]) == (400, True), reply.body


async def test_the_metadata_say_what_may_be_missing(made: Made) -> None:
    inputs = (await make_bench(made).get("/v2/models/iris")).json["inputs"]

    assert {part["name"] for part in inputs if part.get("parameters", {}).get("nullable")} == {"height", "colour"}


def test_what_was_missing_is_captured_as_null() -> None:
    assert msgspec.json.encode(Capture(id="a", row=(float("nan"), ""))) == b'{"id":"a","row":[null,""]}'
