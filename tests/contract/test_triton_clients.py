"""Triton's published clients, unchanged, against a serving pod: by HTTP and gRPC, with JSON, bytes and gzip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import requests
from tests.contract.job_processes import MODEL, Hub, free_port
from tests.contract.serving_pods import ready_pod
from tests.triton.clients import ask
from tests.unit.serve.made_models import Made, mixed, numeric

from evermodel_runtime.serve.rpc.messages import file

ROWS = 40
"""Enough for ids that are signed together."""
NUMBERS = {"X": {"datatype": "FP64", "rows": [[row % 3 == column for column in range(3)] for row in range(ROWS)]}}
INVALID = {"HTTP": "400", "gRPC": "StatusCode.INVALID_ARGUMENT"}
WORDS = {
    "city": {"datatype": "BYTES", "rows": ["Rome", "Røros"] * (ROWS // 2)},
    "size": {"datatype": "FP32", "rows": [[row / 7] for row in range(ROWS)]},
    "age": {"datatype": "INT64", "rows": list(range(ROWS))},
}


def fields(messages: Iterable[Any], within: str) -> dict[str, tuple[int, int]]:
    """Return number and type of each field of ours."""
    described: dict[str, tuple[int, int]] = {}
    for message in messages:
        path = f"{within}{message.name}."
        described |= {path + field.name: (field.number, field.type) for field in message.field}
        described |= fields(message.nested_type, path)
    return described


@pytest.mark.timeout(600)  # the first time installs the clients
@pytest.mark.parametrize(
    ("made", "columns"),
    [pytest.param(numeric(), NUMBERS, id="a matrix of numbers"), pytest.param(mixed(), WORDS, id="columns with texts")],
)
def test_published_clients_infer_in_every_way_that_they_have(hub: Hub, made: Made, columns: dict[str, Any]) -> None:
    with ready_pod(hub, made, grpc_port=free_port()) as pod:
        asked = ask(f"127.0.0.1:{pod.port}", pod.grpc_address, MODEL, columns)
        ids = [each for answer in asked.answers.values() for each in answer["prediction_ids"]]
        label = made.manifest.classes[0]
        labels = [{"id": each, "label": label} for each in ids]
        told = requests.post(f"{pod.url}/v2/models/{MODEL}/feedback", json={"labels": labels}, timeout=30).json()

    assert fields(file().message_type, "inference.").items() <= asked.fields.items(), "names, numbers and types"
    plain = {way: (answer["label"], answer["probabilities"]) for way, answer in asked.answers.items()}
    expected = plain["HTTP, JSON"]
    assert len(expected[0]) == ROWS
    assert set(expected[0]) == set(made.manifest.classes)
    assert plain == dict.fromkeys(plain, expected)
    assert len(set(ids)) == ROWS * len(asked.answers)
    assert told["accepted"] == len(ids), "each id takes a label"
    assert asked.inputs["HTTP"] == asked.inputs["gRPC"]
    assert {protocol: refused["status"] for protocol, refused in asked.refusals.items()} == INVALID
    assert asked.refusals["HTTP"]["message"] == asked.refusals["gRPC"]["message"]
