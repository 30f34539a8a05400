"""Serving pods as processes, with a real hub process: labels, captures, broken artifacts, a hub that is away, drain."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec import UNSET, UnsetType
from tests.demo.traffic import Clients
from tests.unit.serve.made_models import Made, mixed, numeric

from evermodel.contract import (
    HUB_KEY_ENV,
    SERVE_ENV,
    TOKEN_ENV,
    DriftQuery,
    LabelledRecords,
    Quality,
    QualityQuery,
    ServeConfig,
)
from evermodel.tokens import Role, role_token
from evermodel_runtime.serve.protocol import MAX_BODY_BYTES

KEY = "5c" * 32
MODEL = "iris"
START_SECONDS = 60.0
SOURCES = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("operator", "trainer_image"))
ROW = {"inputs": [{"name": "X", "shape": [1, 3], "datatype": "FP64", "data": [0.1, 5, 1]}]}


@dataclass
class Process:
    """One process on loopback."""

    module: str
    port: int
    environment: dict[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", self.module],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": SOURCES} | self.environment,
                stdout=log,
                stderr=log,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self.popen is not None
        self.popen.send_signal(number)

    def kill(self) -> None:
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    async def exit_code(self, seconds: float) -> int:
        assert self.popen is not None
        return await asyncio.to_thread(self.popen.wait, seconds)


@dataclass
class Site:
    """A hub with an artifact in it, and the pods that a test starts."""

    folder: Path
    http: aiohttp.ClientSession
    hub: Process = field(init=False)
    started: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        port = free_port()
        self.hub = Process(
            "evermodel_runtime.hub",
            port,
            {
                HUB_KEY_ENV: KEY,
                "EVERMODEL_HUB_DATA": str(self.folder / "hub"),
                "EVERMODEL_HUB_PORT": str(port),
                "EVERMODEL_HUB_HOST": "127.0.0.1",
            },
            self.folder / "hub.log",
        )
        self.started.append(self.hub)

    async def start_hub(self) -> None:
        self.hub.start()
        await until(lambda: self.answers("GET", self.hub.url + "/v1/blobs/" + "0" * 64))

    async def publish(self, made: Made) -> None:
        for sha256, data in ((made.digest, made.manifest_bytes), (made.manifest.onnx, made.onnx)):
            async with self.http.put(
                f"{self.hub.url}/v1/blobs/{sha256}", data=data, headers=self.token(Role.TRAINER)
            ) as response:
                assert response.status in (200, 201), await response.text()

    def start_pod(
        self, made: Made, *, drain: float = 5.0, capture: bool = False, grpc_port: int | UnsetType = UNSET
    ) -> Process:
        port = free_port()
        config = ServeConfig(
            namespace="ml",
            model=MODEL,
            version=3,
            hub_url=self.hub.url,
            manifest=made.digest,
            capture=capture,
            grpc_port=grpc_port,
        )
        pod = Process(
            "evermodel_runtime.serve",
            port,
            {
                SERVE_ENV: msgspec.json.encode(config).decode(),
                TOKEN_ENV: role_token(KEY, MODEL, Role.SERVER),
                "EVERMODEL_PORT": str(port),
                "EVERMODEL_HOST": "127.0.0.1",
                "EVERMODEL_DRAIN_SECONDS": str(drain),
            },
            self.folder / f"pod-{port}.log",
        )
        self.started.append(pod)
        pod.start()
        return pod

    async def ready_pod(self, made: Made, **how: Any) -> Process:
        pod = self.start_pod(made, **how)
        await until(lambda: self.answers("GET", pod.url + "/v2/health/ready", status=200))
        return pod

    async def answers(self, method: str, url: str, status: int | None = None) -> bool:
        try:
            async with self.http.request(method, url) as response:
                return status is None or response.status == status
        except aiohttp.ClientConnectionError:
            return False

    async def post(self, pod: Process, verb: str, body: Any) -> tuple[int, Any]:
        async with self.http.post(f"{pod.url}/v2/models/{MODEL}/{verb}", json=body) as response:
            return response.status, await response.json()

    async def predict(self, pod: Process, body: Any = ROW) -> str:
        status, answer = await self.post(pod, "infer", body)
        assert status == 200, answer
        return str(answer["id"])

    async def why_not_ready(self, pod: Process) -> str:
        try:
            async with self.http.get(pod.url + "/v2/health/ready") as response:
                return str((await response.json()).get("error", ""))
        except aiohttp.ClientConnectionError:
            return ""

    async def records(self) -> LabelledRecords:
        url = f"{self.hub.url}/v1/models/{MODEL}/records"
        async with self.http.get(url, headers=self.token(Role.TRAINER)) as response:
            assert response.status == 200, await response.text()
            return msgspec.json.decode(await response.read(), type=LabelledRecords)

    async def quality(self, drift: DriftQuery | None = None) -> Quality:
        query = QualityQuery(version=3, threshold=0.9, tolerance=0.01, false_alarm_every=1e5, window=100, drift=drift)
        url = f"{self.hub.url}/v1/models/{MODEL}/quality"
        async with self.http.post(url, data=msgspec.json.encode(query), headers=self.token(Role.OPERATOR)) as response:
            assert response.status == 200, await response.text()
            return msgspec.json.decode(await response.read(), type=Quality)

    def token(self, role: Role) -> dict[str, str]:
        return {"authorization": f"Bearer {role_token(KEY, MODEL, role)}", "x-evermodel-model": MODEL}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def until(question: Callable[[], Awaitable[object]], seconds: float = START_SECONDS) -> None:
    """Ask until the answer is yes."""
    async with asyncio.timeout(seconds):
        while not await question():  # noqa: ASYNC110 - another process changes, which sets no event here
            await asyncio.sleep(0.05)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with aiohttp.ClientSession() as http:
        place = Site(tmp_path, http)
        try:
            yield place
        finally:
            for process in place.started:
                process.kill()


@pytest.fixture
async def stocked(site: Site) -> Site:
    await site.start_hub()
    await site.publish(numeric())
    return site


async def test_labels_captures_and_counts_reach_the_hub(site: Site) -> None:
    await site.start_hub()
    await site.publish(mixed())
    pod = await site.ready_pod(mixed(), capture=True)
    inputs = [
        {"name": "city", "shape": [2], "datatype": "BYTES", "data": ["Rome", "Røros"]},
        {"name": "size", "shape": [2], "datatype": "FP64", "data": [0.1, -2]},
        {"name": "age", "shape": [2, 1], "datatype": "INT64", "data": [[3], [8]]},
    ]
    status, answer = await site.post(pod, "infer", {"inputs": inputs})
    assert status == 200, answer
    first, second = answer["parameters"]["prediction_ids"]

    labels = [{"id": first, "label": "yes"}, {"id": second, "label": "no"}, {"id": second[:-4] + "AAAA", "label": "no"}]
    status, told = await site.post(pod, "feedback", {"labels": labels})
    assert (status, told["accepted"]) == (200, 2), told
    assert [result["status"] for result in told["results"]] == ["Accepted", "Accepted", "Forged"]

    await until(lambda: has_records(site, 2))
    rows = {record.row: record.label for record in (await site.records()).records}
    assert rows == {(3.0, "Rome", 0.1): "yes", (8.0, "Røros", -2.0): "no"}
    quality = await site.quality()
    assert (quality.predictions, quality.labels) == (2, 2)

    status, told = await site.post(pod, "feedback", {"labels": labels[:1]})
    assert [result["status"] for result in told["results"]] == ["Duplicate"]


async def has_records(site: Site, count: int) -> bool:
    return len((await site.records()).records) == count


async def test_many_callers_with_one_label_each_get_their_own_answer(stocked: Site) -> None:
    pod = await stocked.ready_pod(numeric())
    ids = [await stocked.predict(pod) for _ in range(50)]

    answers = await asyncio.gather(
        *(stocked.post(pod, "feedback", {"labels": [{"id": each, "label": 1}]}) for each in [*ids, *ids])
    )

    assert [answer["results"][0]["id"] for _, answer in answers] == [*ids, *ids]
    assert sum(answer["accepted"] for _, answer in answers) == 50
    assert (await stocked.quality()).labels == 50


async def test_two_hundred_requests_a_second_all_count(stocked: Site) -> None:
    pod = await stocked.ready_pod(numeric(), capture=True)
    clients = Clients(url=pod.url, model=MODEL, photograph=lambda: ([0.1, 5, 1], 1), rate=200)
    sending = asyncio.create_task(clients.run())
    await until(lambda: reached(lambda: clients.tally.labels >= 600 or bool(clients.tally.failures)))
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending

    assert clients.tally.failures == []
    await until(lambda: has_records_of_all_labels(stocked))
    quality = await stocked.quality()
    assert clients.tally.labels <= quality.labels <= quality.predictions  # the last answers met nobody
    assert quality.window is not None
    assert quality.window.value == 1.0


async def has_records_of_all_labels(site: Site) -> bool:
    quality = await site.quality()
    return quality.records == quality.labels


async def test_predictions_outlive_the_hub_and_reach_it_later(stocked: Site) -> None:
    pod = await stocked.ready_pod(numeric(), capture=True)
    prediction = await stocked.predict(pod)
    stocked.hub.kill()

    ids = [await stocked.predict(pod) for _ in range(20)]
    async with stocked.http.post(
        f"{pod.url}/v2/models/{MODEL}/feedback", json={"labels": [{"id": prediction, "label": 1}]}
    ) as response:
        assert (response.status, response.headers["retry-after"]) == (503, "2")
        assert "send them again" in (await response.json())["error"]
    assert await stocked.why_not_ready(pod) == ""

    await stocked.start_hub()
    labels = [{"id": each, "label": 1} for each in [prediction, *ids]]
    status, told = await stocked.post(pod, "feedback", {"labels": labels})
    assert (status, told["accepted"]) == (200, 21)
    await until(lambda: has_records(stocked, 21))
    assert (await stocked.quality()).predictions == 21


async def test_the_last_predictions_reach_the_hub_before_the_process_ends(stocked: Site) -> None:
    pod = await stocked.ready_pod(numeric(), capture=True, drain=0)
    ids = [await stocked.predict(pod) for _ in range(5)]
    await stocked.post(pod, "feedback", {"labels": [{"id": each, "label": 1} for each in ids]})

    pod.signal(signal.SIGTERM)

    assert await pod.exit_code(10) == 0
    assert len((await stocked.records()).records) == 5
    assert (await stocked.quality()).predictions == 5


async def test_a_pod_waits_for_the_hub_and_then_serves(site: Site) -> None:
    pod = site.start_pod(numeric())
    await until(lambda: site.why_not_ready(pod))
    assert await site.answers("GET", pod.url + "/v2/health/live", status=200)
    await until(lambda: told(site, pod, f"waiting for the hub at {site.hub.url}: "))
    status, answer = await site.post(pod, "infer", ROW)
    assert status == 503
    assert answer["error"].startswith("the model is not ready: waiting for the hub")

    await site.start_hub()
    await until(lambda: told(site, pod, f"waiting for the manifest {numeric().digest}: the hub answers 404"))
    await site.publish(numeric())

    await until(lambda: site.answers("GET", pod.url + "/v2/health/ready", status=200))
    assert await site.predict(pod)


async def told(site: Site, pod: Process, words: str) -> bool:
    return (await site.why_not_ready(pod)).startswith(words)


async def test_a_corrupt_artifact_never_becomes_ready_and_says_why(stocked: Site) -> None:
    blob = next(
        path for path in (stocked.folder / "hub").rglob(f"*{numeric().manifest.artifact[4:]}") if path.is_file()
    )
    blob.chmod(0o600)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)

    pod = stocked.start_pod(numeric())

    reason = f"artifact digest mismatch: the ONNX model should be {numeric().manifest.onnx}"
    await until(lambda: told(stocked, pod, reason))
    lines = [msgspec.json.decode(line) for line in pod.log.read_bytes().splitlines()]
    assert any(line["message"] == "not ready" and line["reason"].startswith(reason) for line in lines)
    assert (await stocked.post(pod, "infer", ROW))[0] == 503


async def test_a_pod_that_was_never_ready_stops_at_once(site: Site) -> None:
    pod = site.start_pod(numeric(), drain=60)
    await until(lambda: site.why_not_ready(pod))

    pod.signal(signal.SIGTERM)

    assert await pod.exit_code(15) == 0


async def test_a_body_beyond_the_limit_is_refused_and_the_pod_goes_on(stocked: Site) -> None:
    pod = await stocked.ready_pod(numeric())

    for body in (b" " * (MAX_BODY_BYTES + 1), pieces(b" " * 2**20, 40)):
        async with stocked.http.post(f"{pod.url}/v2/models/{MODEL}/infer", data=body) as response:
            assert response.status == 413
    assert await stocked.predict(pod)


async def pieces(piece: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece


async def test_kept_connections_are_closed_by_the_answer_while_draining(stocked: Site) -> None:
    pod = await stocked.ready_pod(numeric(), drain=60)
    reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
    request = f"GET /v2/models/{MODEL} HTTP/1.1\r\nhost: pod\r\n\r\n".encode()

    writer.write(request)
    assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")
    pod.signal(signal.SIGTERM)
    await until(lambda: told(stocked, pod, "draining: "))
    writer.write(request)
    rest = await asyncio.wait_for(reader.read(), 10)

    assert b"HTTP/1.1 200 OK\r\n" in rest
    assert b"\r\nconnection: close\r\n" in rest
    writer.close()
    assert await pod.exit_code(15) == 0  # nobody is connected any more: long before the 60 seconds


class Service:
    """Forwards connections to a ready pod, as kube-proxy does: it learns late, and kept connections stay."""

    LATE_SECONDS = 1.0

    def __init__(
        self, site: Site, pods: list[Process], port_of: Callable[[Process], int] = lambda pod: pod.port
    ) -> None:
        self.endpoints = list(pods)
        self._port_of = port_of
        self._site = site
        self._turn = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        watch = asyncio.create_task(self._watch())
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        watch.cancel()
        server.close()

    async def _watch(self) -> None:
        while True:
            for pod in list(self.endpoints):
                if not await self._site.answers("GET", pod.url + "/v2/health/ready", status=200):
                    await asyncio.sleep(self.LATE_SECONDS)
                    self.endpoints.remove(pod)
            await asyncio.sleep(0.1)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        pod = self.endpoints[self._turn % len(self.endpoints)]
        pod_reader, pod_writer = await asyncio.open_connection("127.0.0.1", self._port_of(pod))
        await asyncio.gather(_copy(reader, pod_writer), _copy(pod_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_no_request_fails_while_a_pod_leaves_the_service(stocked: Site) -> None:
    leaving, staying = [await stocked.ready_pod(numeric(), drain=10) for _ in range(2)]
    service = Service(stocked, [leaving, staying])
    failures: list[str] = []
    answered = 0
    stop = asyncio.Event()

    async def client(url: str) -> None:
        nonlocal answered
        async with aiohttp.ClientSession() as session:
            while not stop.is_set():
                began = time.monotonic()
                try:
                    async with session.post(f"{url}/v2/models/{MODEL}/infer", json=ROW) as response:
                        if response.status != 200:
                            failures.append(await response.text())
                except aiohttp.ClientError as error:
                    failures.append(repr(error))
                answered += 1
                await asyncio.sleep(max(0.0, 0.05 - (time.monotonic() - began)))

    async with service.listening() as url:
        clients = [asyncio.create_task(client(url)) for _ in range(10)]
        await until(lambda: reached(lambda: answered > 200))
        leaving.signal(signal.SIGTERM)
        assert await leaving.exit_code(15) == 0
        after = answered
        await until(lambda: reached(lambda: answered > after + 200))
        stop.set()
        await asyncio.gather(*clients)

    assert failures == []
    assert service.endpoints == [staying]
    leaving_log = leaving.log.read_text()
    assert "draining" in leaving_log
    assert "Traceback" not in leaving_log


async def reached(question: Callable[[], bool]) -> bool:
    return question()
