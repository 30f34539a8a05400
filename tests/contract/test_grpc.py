"""The Open Inference Protocol by gRPC: a serving pod as a process, and a channel over loopback."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import numpy as np
import pytest
import requests
from tests.contract.job_processes import MODEL, Hub, free_port
from tests.contract.serving_pods import VERSION, Pod, config_of, ready_pod
from tests.contract.test_malformed import MISTAKES
from tests.unit.serve.http_calls import tensor
from tests.unit.serve.made_models import Made, by_skops, mixed, numeric

from evermodel_runtime.serve.protocol import MAX_BODY_BYTES, MAX_ROWS
from evermodel_runtime.serve.rpc.messages import (
    SERVICE,
    ModelInferRequest,
    request_type,
    response_type,
)

CALLS = 4_000
Code = grpc.StatusCode


class Caller:
    """A client made of the published messages."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.channel = grpc.insecure_channel(pod.grpc_address, options=[("grpc.max_send_message_length", -1)])

    def ask(self, method: str, **fields: Any) -> Any:
        return response_type(method).FromString(self.send(method, request_type(method)(**fields).SerializeToString()))

    def send(self, method: str, content: bytes) -> bytes:
        call = self.channel.unary_unary(f"/{SERVICE}/{method}")
        answer: bytes = call(content, timeout=30, wait_for_ready=True)
        return answer

    def refusal(self, method: str, content: bytes) -> tuple[Any, str]:
        with pytest.raises(grpc.RpcError) as caught:
            self.send(method, content)
        return caught.value.code(), caught.value.details()

    def infer(self, *inputs: Any, **fields: Any) -> Any:
        return self.ask("ModelInfer", model_name=MODEL, inputs=inputs, **fields)


@pytest.fixture(scope="module")
def hub_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("hub"))
    hub.start()
    yield hub
    hub.stop()


def calling(hub: Hub, made: Made) -> Iterator[Caller]:
    with ready_pod(hub, made, capture=True, grpc_port=free_port()) as pod:
        caller = Caller(pod)
        yield caller
        caller.channel.close()


@pytest.fixture(scope="module")
def numbers(hub_of_all: Hub) -> Iterator[Caller]:
    yield from calling(hub_of_all, numeric())


@pytest.fixture(scope="module")
def words(hub_of_all: Hub) -> Iterator[Caller]:
    yield from calling(hub_of_all, mixed())


def by_rest(pod: Pod, *inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of REST, by name."""
    answer = requests.post(f"{pod.url}/v2/models/{MODEL}/infer", json={"inputs": inputs}, timeout=30)
    answer.raise_for_status()
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


def typed(name: str, shape: list[int], datatype: str, **contents: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "contents": contents}


def described(name: str, shape: list[int], datatype: str) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype}


VALUES = [0, 5, 1, 7, 2, 1]
TYPED = {
    "FP64": "fp64_contents",
    "FP32": "fp32_contents",
    "INT64": "int64_contents",
    "INT32": "int_contents",
    "INT16": "int_contents",
    "INT8": "int_contents",
    "UINT64": "uint64_contents",
    "UINT32": "uint_contents",
    "UINT8": "uint_contents",
}
RAW = {"FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT8": "i1", "UINT16": "<u2"}


@pytest.mark.parametrize("datatype", TYPED)
def test_typed_elements_are_answered_as_rest_answers_and_typed(numbers: Caller, datatype: str) -> None:
    answer = numbers.infer(typed("X", [2, 3], datatype, **{TYPED[datatype]: VALUES}), id="mine")

    expected = by_rest(numbers.pod, tensor("X", VALUES, [2, 3]))
    label, probabilities = answer.outputs
    assert (answer.model_name, answer.model_version, answer.id) == (MODEL, str(VERSION), "mine")
    assert (label.name, label.datatype, list(label.shape)) == ("label", "INT64", [2])
    assert list(label.contents.int64_contents) == expected["label"]
    assert (probabilities.name, probabilities.datatype, list(probabilities.shape)) == ("probabilities", "FP64", [2, 3])
    assert list(probabilities.contents.fp64_contents) == pytest.approx(expected["probabilities"], abs=1e-6)
    assert not answer.raw_output_contents


@pytest.mark.parametrize("datatype", RAW)
def test_raw_elements_are_answered_as_rest_answers_and_raw(numbers: Caller, datatype: str) -> None:
    content = np.array(VALUES, RAW[datatype]).tobytes()
    answer = numbers.infer(described("X", [2, 3], datatype), raw_input_contents=[content])

    expected = by_rest(numbers.pod, tensor("X", VALUES, [2, 3]))
    label, probabilities = answer.raw_output_contents
    assert np.frombuffer(label, "<i8").tolist() == expected["label"]
    assert np.frombuffer(probabilities, "<f8").tolist() == pytest.approx(expected["probabilities"], abs=1e-6)
    assert [list(output.shape) for output in answer.outputs] == [[2], [2, 3]]
    assert not any(output.HasField("contents") for output in answer.outputs)


CITIES = ["Rome", "Oslo"]


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
def test_a_tensor_for_each_column_goes_by_its_name_and_texts_are_bytes(words: Caller, raw: bool) -> None:  # noqa: FBT001 - a case
    if raw:
        texts = b"".join(len(city).to_bytes(4, "little") + city.encode() for city in CITIES)
        contents = [texts, np.array([0.5, -1], "<f4").tobytes(), np.array([7, 9], "<i8").tobytes()]
        inputs = [described("city", [2], "BYTES"), described("size", [2], "FP32"), described("age", [2, 1], "INT64")]
        answer = words.infer(*inputs, raw_input_contents=contents, outputs=[{"name": "label"}])
        (content,) = answer.raw_output_contents
        labels = [
            part.decode() for part in content.replace(b"\0", b"").replace(b"\3", b" ").replace(b"\2", b" ").split()
        ]
    else:
        answer = words.infer(
            typed("city", [2], "BYTES", bytes_contents=[city.encode() for city in CITIES]),
            typed("size", [2], "FP32", fp32_contents=[0.5, -1]),
            typed("age", [2, 1], "INT64", int64_contents=[7, 9]),
            outputs=[{"name": "label"}],
        )
        (label,) = answer.outputs
        labels = [text.decode() for text in label.contents.bytes_contents]

    rows = [tensor("age", [7, 9], [2]), tensor("city", CITIES, [2], "BYTES"), tensor("size", [0.5, -1], [2])]
    assert [(output.name, output.datatype) for output in answer.outputs] == [("label", "BYTES")]
    assert labels == by_rest(words.pod, *rows)["label"]


def test_booleans_are_numbers_and_are_answered_where_classes_are_booleans(hub: Hub) -> None:
    for caller in calling(hub, numeric((False, True))):
        answer = caller.infer(typed("X", [1, 3], "BOOL", bool_contents=[False, True, False]))
        assert answer.outputs[0].datatype == "BOOL"
        assert list(answer.outputs[0].contents.bool_contents) == [True]


def test_each_row_s_prediction_id_takes_a_label(numbers: Caller) -> None:
    answer = numbers.infer(typed("X", [2, 3], "FP64", fp64_contents=VALUES))
    ids = answer.parameters["prediction_ids"].string_param.split(",")
    assert answer.id == ids[0]

    labels = [{"id": each, "label": 1} for each in ids]
    told = requests.post(f"{numbers.pod.url}/v2/models/{MODEL}/feedback", json={"labels": labels}, timeout=30).json()
    assert [result["status"] for result in told["results"]] == ["Accepted", "Accepted"]


def test_many_calls_at_once_of_a_model_of_skops_get_their_own_answers(hub: Hub) -> None:
    for caller in calling(hub, by_skops(numeric())):
        call = caller.channel.unary_unary(f"/{SERVICE}/ModelInfer")
        rows = [[float(place == wanted) for place in range(3)] for wanted in [0, 1, 2, 2, 1, 0] * 10]
        requests_ = [
            ModelInferRequest(model_name=MODEL, inputs=[typed("X", [1, 3], "FP64", fp64_contents=row)]) for row in rows
        ]
        coming = [call.future(each.SerializeToString(), timeout=30) for each in requests_]
        answers = [response_type("ModelInfer").FromString(each.result()) for each in coming]
        assert [answer.outputs[0].contents.int64_contents[0] for answer in answers] == [0, 1, 2, 2, 1, 0] * 10


def test_what_the_server_and_the_model_are_is_told_as_by_rest(numbers: Caller) -> None:
    server = numbers.ask("ServerMetadata")
    told = requests.get(f"{numbers.pod.url}/v2", timeout=30).json()
    assert {"name": server.name, "version": server.version, "extensions": list(server.extensions)} == told

    model = numbers.ask("ModelMetadata", name=MODEL, version=str(VERSION))
    told = requests.get(f"{numbers.pod.url}/v2/models/{MODEL}", timeout=30).json()
    assert (model.name, list(model.versions), model.platform) == (told["name"], told["versions"], told["platform"])
    for tensors, expected in ((model.inputs, told["inputs"]), (model.outputs, told["outputs"])):
        assert [(one.name, one.datatype, list(one.shape)) for one in tensors] == [
            (one["name"], one["datatype"], one["shape"]) for one in expected
        ]


def test_calls_count_in_the_metrics_beside_those_of_rest(numbers: Caller) -> None:
    numbers.infer(typed("X", [1, 3], "FP64", fp64_contents=[0, 5, 1]))
    numbers.refusal("ModelInfer", b"")
    text = requests.get(f"{numbers.pod.url}/metrics", timeout=30).text
    assert 'evermodel_server_requests_total{code="200",route="ModelInfer"}' in text
    assert 'evermodel_server_requests_total{code="404",route="ModelInfer"}' in text


def row(**fields: Any) -> dict[str, Any]:
    return {"model_name": MODEL, "inputs": [typed("X", [1, 3], "FP64", fp64_contents=[0, 5, 1])], **fields}


X = described("X", [1, 3], "FP64")
REFUSED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "another model": (row(model_name="iris"), Code.NOT_FOUND, "model 'iris' is not here: this server has 'digits'"),
    "another version": (row(model_version="9"), Code.NOT_FOUND, "version '9' is not here: this server has version 3"),
    "no inputs": (row(inputs=[]), Code.INVALID_ARGUMENT, "the request has no inputs; send one numeric tensor"),
    "no elements": (row(inputs=[X]), Code.INVALID_ARGUMENT, "input 'X' has 0 elements; its shape [1, 3] needs 3"),
    "too few elements": (
        row(inputs=[typed("X", [1, 3], "FP64", fp64_contents=[1])]),
        Code.INVALID_ARGUMENT,
        "input 'X' has 1 elements; its shape [1, 3] needs 3",
    ),
    "no shape": (
        row(inputs=[typed("X", [], "FP64", fp64_contents=[1])]),
        Code.INVALID_ARGUMENT,
        "input 'X' has shape []; sizes must be positive",
    ),
    "a negative size": (
        row(inputs=[typed("X", [-1, 3], "FP64", fp64_contents=[1])]),
        Code.INVALID_ARGUMENT,
        "input 'X' has shape [-1, 3]; sizes must be positive",
    ),
    "another width": (
        row(inputs=[typed("X", [1, 2], "FP64", fp64_contents=[1, 2])]),
        Code.INVALID_ARGUMENT,
        "input 'X' has shape [1, 2]; send one numeric tensor of shape [rows, 3]",
    ),
    "an unknown datatype": (
        row(inputs=[typed("X", [1, 3], "BF16")]),
        Code.INVALID_ARGUMENT,
        "input 'X' has datatype 'BF16'; send one of BOOL, INT8",
    ),
    "half floats that are not raw": (
        row(inputs=[typed("X", [1, 3], "FP16", fp32_contents=[0, 5, 1])]),
        Code.INVALID_ARGUMENT,
        "input 'X' has datatype FP16: send it in raw_input_contents",
    ),
    "elements in another type's field": (
        row(inputs=[typed("X", [1, 3], "FP64", fp32_contents=[0, 5, 1])]),
        Code.INVALID_ARGUMENT,
        "input 'X' has datatype FP64 and its elements in fp32_contents: send them in fp64_contents",
    ),
    "a number beyond its type": (
        row(inputs=[typed("X", [1, 3], "INT8", int_contents=[0, 500, 1])]),
        Code.INVALID_ARGUMENT,
        "row 0 of column 'b' (input 'X') is 500, not INT8",
    ),
    "not a number": (
        row(inputs=[typed("X", [1, 3], "FP64", fp64_contents=[0, float("nan"), 1])]),
        Code.INVALID_ARGUMENT,
        "row 0 of column 'b' (input 'X') is NaN, and the column may lack none",
    ),
    "infinity": (
        row(inputs=[typed("X", [1, 3], "FP32", fp32_contents=[0, float("inf"), 1])]),
        Code.INVALID_ARGUMENT,
        "row 0 of column 'b' is inf; numbers must be finite",
    ),
    "texts for numbers": (
        row(inputs=[typed("X", [1, 3], "BYTES", bytes_contents=[b"a", b"b", b"c"])]),
        Code.INVALID_ARGUMENT,
        "input 'X' has datatype BYTES, but the columns are numbers",
    ),
    "text that is no UTF-8": (
        row(inputs=[typed("X", [1, 3], "BYTES", bytes_contents=[b"a", b"\xff", b"c"])]),
        Code.INVALID_ARGUMENT,
        "element 1 of input 'X' is no UTF-8",
    ),
    "raw elements for some inputs": (
        row(inputs=[X, X], raw_input_contents=[bytes(24)]),
        Code.INVALID_ARGUMENT,
        "there are 1 raw_input_contents for 2 inputs",
    ),
    "raw and typed elements": (
        row(raw_input_contents=[bytes(24)]),
        Code.INVALID_ARGUMENT,
        "input 'X' has contents and raw_input_contents: send one of them",
    ),
    "a broken raw element": (
        row(inputs=[X], raw_input_contents=[bytes(23)]),
        Code.INVALID_ARGUMENT,
        "input 'X' has 23 bytes, which are no whole number of FP64, of 8 bytes each",
    ),
    "an unknown output": (
        row(outputs=[{"name": "score"}]),
        Code.INVALID_ARGUMENT,
        "output 'score' is not known: this model answers with 'label' and 'probabilities'",
    ),
    "too many rows": (
        row(inputs=[described("X", [MAX_ROWS + 1, 3], "UINT8")], raw_input_contents=[bytes(3 * MAX_ROWS + 3)]),
        Code.RESOURCE_EXHAUSTED,
        "input 'X' has 10,001 rows; a request may have 10,000: send several",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_refusal_has_the_protocol_s_code_and_says_what_is_wrong(numbers: Caller, mistake: str) -> None:
    fields, code, words = REFUSED[mistake]
    told = numbers.refusal("ModelInfer", ModelInferRequest(**fields).SerializeToString())
    assert told[0] is code
    assert told[1].startswith(words)


def test_what_is_no_message_no_method_and_too_large_is_refused_and_the_pod_goes_on(numbers: Caller) -> None:
    code, words = numbers.refusal("ModelInfer", b"\xff" * 9)
    assert code is Code.INVALID_ARGUMENT
    assert words.startswith("the call has no ModelInferRequest: ")
    assert numbers.refusal("ModelStreamInfer", b"")[0] is Code.UNIMPLEMENTED
    assert numbers.refusal("ModelInfer", bytes(MAX_BODY_BYTES + 1))[0] is Code.RESOURCE_EXHAUSTED
    assert numbers.ask("ModelReady", name=MODEL).ready is True
    code, words = numbers.refusal("ModelReady", request_type("ModelReady")(name="other").SerializeToString())
    assert (code, words) == (Code.NOT_FOUND, "model 'other' is not here: this server has 'digits'")


def test_compressed_calls_are_read_and_never_unpack_to_more_than_a_plain_one_may_have(numbers: Caller) -> None:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(numbers.pod.grpc_address, options=options, compression=grpc.Compression.Gzip) as channel:
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        answer = response_type("ModelInfer").FromString(call(ModelInferRequest(**row(id="mine")).SerializeToString()))
        with pytest.raises(grpc.RpcError) as caught:
            call(bytes(MAX_BODY_BYTES + 1))
    assert answer.id == "mine"
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED


def malformed(count: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    texts = typed("city", [2], "BYTES", bytes_contents=[b"Rome", b"Oslo"])
    inputs = [
        texts,
        typed("size", [2], "FP32", fp32_contents=[0.5, -1]),
        typed("age", [2], "INT8", int_contents=[7, 9]),
    ]
    raw = [described("city", [1], "BYTES"), described("size", [1], "FP64"), described("age", [1], "INT64")]
    contents = [b"\4\0\0\0Rome", bytes(8), bytes(8)]
    sound = [
        ModelInferRequest(model_name=MODEL, inputs=inputs, outputs=[{"name": "label"}], id="mine").SerializeToString(),
        ModelInferRequest(model_name=MODEL, inputs=raw, raw_input_contents=contents).SerializeToString(),
    ]
    for _ in range(count):
        content = chance.choice(sound)
        for mistake in chance.choices(MISTAKES, k=chance.randint(1, 3)):
            content = mistake(content, chance) if content else content
        yield content


def test_malformed_messages_are_answered_or_refused_and_never_fail_the_server(words: Caller) -> None:
    call = words.channel.unary_unary(f"/{SERVICE}/ModelInfer")
    codes = {call.future(content, timeout=30).code() for content in malformed(CALLS, seed=3)}
    assert Code.INVALID_ARGUMENT in codes
    assert codes <= {Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.RESOURCE_EXHAUSTED}
    assert "Traceback" not in words.pod.log.read_text()


def test_a_pod_without_its_model_is_live_and_not_ready_and_says_why(hub: Hub) -> None:
    pod = Pod(config_of(hub, numeric(), grpc_port=free_port()), hub.folder / "waiting.log", free_port())
    pod.start()
    try:
        caller = Caller(pod)
        assert caller.ask("ServerLive").live is True
        assert caller.ask("ServerReady").ready is False
        assert caller.ask("ModelReady", name=MODEL).ready is False
        for method, field in (("ModelInfer", "model_name"), ("ModelMetadata", "name")):
            code, words = caller.refusal(method, request_type(method)(**{field: MODEL}).SerializeToString())
            assert code is Code.UNAVAILABLE
            assert words.startswith("the model is not ready: ")
        caller.channel.close()
    finally:
        pod.kill()


def test_a_pod_that_drains_is_not_ready_and_answers_until_it_ends(hub: Hub) -> None:
    with ready_pod(hub, numeric(), grpc_port=free_port(), drain_seconds=60) as pod:
        assert pod.process is not None
        caller = Caller(pod)
        assert caller.ask("ServerReady").ready is True
        pod.process.send_signal(signal.SIGTERM)
        while caller.ask("ServerReady").ready:
            pass
        answer = caller.infer(typed("X", [1, 3], "FP64", fp64_contents=[0, 5, 1]))
        assert list(answer.outputs[0].contents.int64_contents) == [1]
        caller.channel.close()
        assert pod.process.wait(30) == 0  # half of the time in which it would answer HTTP


@pytest.mark.parametrize(("port", "loaded"), [(None, False), (free_port, True)], ids=["undeclared", "declared"])
def test_grpc_is_loaded_only_where_it_is_declared(hub: Hub, port: Callable[[], int] | None, loaded: bool) -> None:  # noqa: FBT001 - a case
    with ready_pod(hub, numeric(), grpc_port=msgspec.UNSET if port is None else port()) as pod:
        assert pod.process is not None
        maps = Path(f"/proc/{pod.process.pid}/maps").read_text()
        assert ("cygrpc" in maps) is loaded
