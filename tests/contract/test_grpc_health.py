"""The published health service of gRPC, asked byte by byte, as probes and load balancers ask it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.contract.job_processes import Hub, free_port
from tests.contract.serving_pods import Pod, config_of, ready_pod
from tests.unit.serve.made_models import numeric

from evermodel_runtime.serve.rpc.messages import SERVICE

# the message's fields by number: 1 is the service in a request, and the status in an answer
SERVING, NOT_SERVING, SERVICE_UNKNOWN = (bytes([1 << 3, status]) for status in (1, 2, 3))
Code = grpc.StatusCode


def asking(service: str) -> bytes:
    return bytes([1 << 3 | 2, len(service)]) + service.encode() if service else b""


class Prober:
    """A client of the health service that knows nothing of the server's code."""

    def __init__(self, pod: Pod) -> None:
        self.channel = grpc.insecure_channel(pod.grpc_address)

    def check(self, content: bytes) -> bytes:
        call = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        answer: bytes = call(content, timeout=30, wait_for_ready=True)
        return answer

    def watch(self, service: str) -> Any:
        call = self.channel.unary_stream("/grpc.health.v1.Health/Watch")
        return call(asking(service), timeout=60, wait_for_ready=True)

    def refusal(self, content: bytes) -> tuple[Any, str]:
        with pytest.raises(grpc.RpcError) as caught:
            self.check(content)
        return caught.value.code(), caught.value.details()


@pytest.fixture(scope="module")
def prober(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prober]:
    hub = Hub(tmp_path_factory.mktemp("hub"))
    hub.start()
    with ready_pod(hub, numeric(), grpc_port=free_port()) as pod:
        prober = Prober(pod)
        yield prober
        prober.channel.close()
    hub.stop()


@pytest.mark.parametrize("service", ["", SERVICE], ids=["all of it", "the service by name"])
def test_a_ready_pod_serves(prober: Prober, service: str) -> None:
    assert prober.check(asking(service)) == SERVING
    watch = prober.watch(service)
    assert next(watch) == SERVING
    watch.cancel()


def test_another_service_is_not_found_and_watched_as_unknown(prober: Prober) -> None:
    assert prober.refusal(asking("iris.Predictor")) == (
        Code.NOT_FOUND,
        f"service 'iris.Predictor' is not here: ask for '{SERVICE}' or ''",
    )
    watch = prober.watch("iris.Predictor")
    assert next(watch) == SERVICE_UNKNOWN
    watch.cancel()


def test_what_is_no_message_is_refused_in_words_and_the_pod_goes_on(prober: Prober) -> None:
    code, words = prober.refusal(b"\xff" * 9)
    assert code is Code.INVALID_ARGUMENT
    assert words.startswith("the call has no HealthCheckRequest: ")
    assert prober.check(b"") == SERVING


def test_a_watch_follows_a_pod_from_its_start_to_its_end(hub: Hub) -> None:
    made = numeric()
    config = config_of(hub, made, grpc_port=free_port())
    pod = Pod(config, hub.folder / "pod.log", free_port(), drain_seconds=1)
    pod.start()
    try:
        prober = Prober(pod)
        watch = prober.watch("")
        assert next(watch) == NOT_SERVING  # the hub does not have the model yet
        assert prober.check(b"") == NOT_SERVING

        client = hub.client()
        client.put_blob(made.onnx)
        client.put_blob(made.manifest_bytes)
        assert next(watch) == SERVING

        assert pod.process is not None
        pod.process.send_signal(signal.SIGTERM)
        assert list(watch) == [NOT_SERVING]  # and it ends, or the pod would wait for it
        assert pod.process.wait(30) == 0
        prober.channel.close()
    finally:
        pod.kill()
