"""Triton's published clients, unchanged, against a model's Service: by HTTP and gRPC, with JSON, bytes and gzip."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
from tests.e2e import manifests
from tests.e2e.namespaces import Namespace, eventually
from tests.triton.clients import Asked, NotReadyError, ask

from evermodel.contract import FeedbackRequest, FeedbackResponse, FeedbackRow
from evermodel.core.names import version_name
from evermodel.kube.client import Object
from evermodel.kube.kinds import DEPLOYMENT, SERVICE

PORT = 8001
FLOWERS = {"X": {"datatype": "FP64", "rows": [[5.1, 3.5, 1.4, 0.2], [5.9, 2.8, 4.4, 1.3], [6.9, 3.1, 5.7, 2.2]]}}
CLASSES = [0, 1, 2]


async def test_published_clients_infer_by_the_model_s_service(namespace: Namespace) -> None:
    await namespace.apply(manifests.iris(serving={"grpc": {"port": PORT}}))
    await namespace.becomes_ready("iris")
    url = await namespace.address("iris")
    host = url.removeprefix("http://")

    asked = await asyncio.to_thread(ask, f"{host}:80", f"{host}:{PORT}", "iris", FLOWERS)
    ids = [each for answer in asked.answers.values() for each in answer["prediction_ids"]]

    assert {way: answer["label"] for way, answer in asked.answers.items()} == dict.fromkeys(asked.answers, CLASSES)
    assert asked.inputs == {"HTTP": ["X"], "gRPC": ["X"]}
    assert {protocol: one["status"] for protocol, one in asked.refusals.items()} == {
        "HTTP": "400",
        "gRPC": "StatusCode.INVALID_ARGUMENT",
    }
    assert await accepted(f"{url}/v2/models/iris/feedback", ids) == len(ids)


async def test_grpc_is_switched_on_and_off_without_a_training(namespace: Namespace) -> None:
    await namespace.apply(manifests.iris())
    await namespace.becomes_ready("iris")
    jobs = await namespace.jobs("iris")

    await namespace.patch("iris", {"serving": {"grpc": {}}})
    await eventually(lambda: has_ports(namespace, {"http": 80, "grpc": 9000}), "the Service has a port of gRPC")
    await eventually(lambda: pods_listen_at(namespace, {"http": 8080, "grpc": 9000}), "pods listen for gRPC")
    host = (await namespace.address("iris")).removeprefix("http://")
    asked = await eventually(lambda: all_ready(host), "the Service leads to the new pod alone")
    assert asked.answers["gRPC by default"]["label"] == CLASSES

    await namespace.patch("iris", {"serving": {"grpc": None}})
    await eventually(lambda: has_ports(namespace, {"http": 80}), "the Service has the port of HTTP alone")
    await eventually(lambda: pods_listen_at(namespace, {"http": 8080}), "pods listen for HTTP alone")
    await namespace.becomes_ready("iris")
    assert await namespace.jobs("iris") == jobs


async def all_ready(host: str) -> Asked | None:
    """Ask once no pod that goes is led to any more: it answers, and says that it is not ready."""
    try:
        return await asyncio.to_thread(ask, f"{host}:80", f"{host}:9000", "iris", FLOWERS)
    except NotReadyError:
        return None


async def accepted(url: str, ids: list[str]) -> int:
    """Label predictions, and return how many labels were taken."""
    body = msgspec.json.encode(FeedbackRequest(labels=tuple(FeedbackRow(id=one, label=0) for one in ids)))
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return msgspec.json.decode(await answer.read(), type=FeedbackResponse).accepted


async def has_ports(namespace: Namespace, expected: dict[str, int]) -> bool | None:
    """Return True once the Service has these ports."""
    service = await namespace.api.get(SERVICE, namespace.name, "iris")
    return {one["name"]: one["port"] for one in service["spec"]["ports"]} == expected or None


async def pods_listen_at(namespace: Namespace, expected: dict[str, int]) -> bool | None:
    """Return True once all pods of the first version have these ports, and are ready."""
    deployment = await namespace.api.get(DEPLOYMENT, namespace.name, version_name("iris", 1))
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    return (ports == expected and is_rolled_out(deployment)) or None


def is_rolled_out(deployment: Object) -> bool:
    """Tell whether the pods are those of the template, and no others are left."""
    status = deployment.get("status", {})
    counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "readyReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == [1, 1, 1]
