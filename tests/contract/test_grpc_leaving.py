"""Callers with gRPC channels while pods come and go."""

from __future__ import annotations

import asyncio
import signal

import grpc.aio
import pytest
from tests.contract.test_serving import MODEL, Process, Service, Site, free_port, reached, site, stocked, until
from tests.unit.serve.made_models import numeric

from evermodel_runtime.serve.rpc.messages import SERVICE, ModelInferRequest

__all__ = ["site", "stocked"]  # fixtures
CALLERS = 10
ROW = {"name": "X", "shape": [1, 3], "datatype": "FP64", "contents": {"fp64_contents": [0.1, 5, 1]}}


async def test_no_call_fails_while_a_pod_leaves_the_service(stocked: Site) -> None:
    """A channel is used for long: it has to be led away from the pod, and gRPC cancels calls of a server that stops."""
    ports: dict[int, int] = {}

    async def pod() -> Process:
        made = await stocked.ready_pod(numeric(), drain=30, grpc_port=(port := free_port()))
        ports[made.port] = port
        return made

    leaving, staying = await pod(), await pod()
    service = Service(stocked, [leaving, staying], port_of=lambda each: ports[each.port])
    content = ModelInferRequest(model_name=MODEL, inputs=[ROW]).SerializeToString()
    failures: list[str] = []
    answered = 0
    stop = asyncio.Event()

    async def call(address: str) -> None:
        nonlocal answered
        options = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
            while not stop.is_set():
                try:
                    await infer(content)
                except grpc.RpcError as error:
                    failures.append(f"{error.code()}: {error.details()}")
                answered += 1

    async with service.listening() as url, asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(call(url.removeprefix("http://")))
        await until(lambda: reached(lambda: answered > 200))
        leaving.signal(signal.SIGTERM)
        assert await leaving.exit_code(25) == 0  # it need not wait for the end of its time
        after = answered
        await until(lambda: reached(lambda: answered > after + 200))
        stop.set()

    assert failures == []


pytestmark = pytest.mark.timeout(120)
