"""Asks a server by Triton's own clients, in every way that they have: run in an environment that holds nothing else.

    python ask.py HOST:PORT HOST:PORT MODEL < columns.json

The addresses are those of HTTP and of gRPC. Columns are inputs by name: {"X": {"datatype": "FP64", "rows": [[…], …]}}.
Printed is, as JSON, what each way was answered: the outputs by name and the prediction ids; what a wrong request
was told; and the fields that the clients were compiled with.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

OUTPUTS = ("label", "probabilities")
NOT_READY = 3
"""The exit code where a server, or the model, says that it is not ready."""


def inputs(module: Any, columns: Mapping[str, Any], **how: Any) -> list[Any]:
    """Return the columns as a client takes them."""
    tensors = []
    for name, column in columns.items():
        array = np.array(column["rows"], dtype=triton_to_np_dtype(column["datatype"]))
        tensor = module.InferInput(name, list(array.shape), column["datatype"])
        tensor.set_data_from_numpy(array, **how)
        tensors.append(tensor)
    return tensors


def outputs(module: Any, **how: Any) -> list[Any]:
    """Ask for all outputs."""
    return [module.InferRequestedOutput(name, **how) for name in OUTPUTS]


def told(result: Any, ids: list[str]) -> dict[str, Any]:
    """Return what was answered."""
    arrays = {name: result.as_numpy(name) for name in OUTPUTS}
    return {name: _plain(array) for name, array in arrays.items()} | {"prediction_ids": ids}


def _plain(array: Any) -> Any:
    """Return elements as JSON has them; texts come as bytes unless they came as JSON."""
    return [each.decode() if isinstance(each, bytes) else each for each in array.tolist()]


def by_http(client: Any, model: str, columns: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return the ways of HTTP: elements as JSON and as bytes, and bodies compressed."""
    module = tritonclient.http

    def infer(*, binary_in: bool, binary_out: bool, **how: Any) -> dict[str, Any]:
        tensors = inputs(module, columns, binary_data=binary_in)
        result = client.infer(model, tensors, outputs=outputs(module, binary_data=binary_out), **how)
        return told(result, result.get_response()["parameters"]["prediction_ids"])

    def by_default() -> dict[str, Any]:
        result = client.infer(model, inputs(module, columns))
        return told(result, result.get_response()["parameters"]["prediction_ids"])

    gzip = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"}
    return {
        "HTTP by default": by_default,
        "HTTP, JSON": lambda: infer(binary_in=False, binary_out=False),
        "HTTP, bytes": lambda: infer(binary_in=True, binary_out=True),
        "HTTP, bytes for JSON": lambda: infer(binary_in=True, binary_out=False),
        "HTTP, JSON by gzip": lambda: infer(binary_in=False, binary_out=False, **gzip),
        "HTTP, bytes by gzip": lambda: infer(binary_in=True, binary_out=True, **gzip),
    }


def by_grpc(client: Any, model: str, columns: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return the ways of gRPC: messages plain and compressed."""
    module = tritonclient.grpc

    def infer(**how: Any) -> dict[str, Any]:
        result = client.infer(model, inputs(module, columns), **how)
        ids = result.get_response().parameters["prediction_ids"].string_param
        return told(result, ids.split(","))

    return {
        "gRPC by default": infer,
        "gRPC, outputs by name": lambda: infer(outputs=outputs(module)),
        "gRPC by gzip": lambda: infer(compression_algorithm="gzip"),
    }


def fields(messages: Any) -> dict[str, list[Any]]:
    """Return number and type of each field that the clients were compiled with."""
    described: dict[str, list[Any]] = {}
    for message in messages:
        for field in message.fields:
            described[field.full_name] = [field.number, field.type]
        described |= fields(message.nested_types)
    return described


def refusal(client: Any, model: str, module: Any) -> dict[str, str]:
    """Send what no model takes, and return the status and the words of the answer."""
    try:
        client.infer(model, inputs(module, {"nothing": {"datatype": "FP64", "rows": [[1.0]]}}))
    except InferenceServerException as error:
        return {"status": str(error.status()), "message": str(error.message())}
    raise SystemExit("a wrong request was answered")


def main(http: str, grpc: str, model: str) -> None:
    """Ask, and print what was told."""
    columns = json.load(sys.stdin)
    web, rpc = tritonclient.http.InferenceServerClient(http), tritonclient.grpc.InferenceServerClient(grpc)
    for client in (web, rpc):
        if not (client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)):
            raise SystemExit(NOT_READY)
    of_grpc = rpc.get_model_metadata(model, as_json=True)
    answers = {way: ask() for way, ask in {**by_http(web, model, columns), **by_grpc(rpc, model, columns)}.items()}
    asked = {
        "fields": fields(tritonclient.grpc.service_pb2.DESCRIPTOR.message_types_by_name.values()),
        "inputs": {
            "HTTP": [one["name"] for one in web.get_model_metadata(model)["inputs"]],
            "gRPC": [one["name"] for one in of_grpc["inputs"]],
        },
        "answers": answers,
        "refusals": {
            "HTTP": refusal(web, model, tritonclient.http),
            "gRPC": refusal(rpc, model, tritonclient.grpc),
        },
    }
    json.dump(asked, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
