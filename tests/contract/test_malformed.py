"""Ten thousand requests with mistakes: each is answered or refused, none fails the server or stays in its memory."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from tests.contract.job_processes import MODEL, Hub
from tests.contract.serving_pods import Pod, ready_pod
from tests.unit.serve.http_calls import tensor
from tests.unit.serve.made_models import mixed

from evermodel_client import Client

REQUESTS = 10_000
CONNECTIONS = 16
GROWTH = 1.03
"""What they may make of the memory that the server had after half as many others."""

INFER = f"/v2/models/{MODEL}/infer"
ROW = [
    tensor("age", [7, 9], [2]),
    tensor("city", ["Rome", "Røros"], [2], "BYTES"),
    tensor("size", [0.5, -1e-3], [2, 1], "FP32"),
]
BYTES = np.array([7.0, 9.0]).tobytes()
BINARY = msgspec.json.encode(
    {"inputs": [{"name": "age", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}, *ROW[1:]]}
)


def http(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: pod", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def request_and_body(chance: random.Random) -> tuple[str, bytes, tuple[str, ...]]:
    tensors = msgspec.json.encode({"inputs": ROW, "outputs": [{"name": "label"}], "id": "mine"})
    instances = msgspec.json.encode({"instances": [{"age": 7, "city": "Rome", "size": 0.5}, [9, "Oslo", -1]]})
    labels = msgspec.json.encode({"labels": [{"id": "forged", "label": "yes"}, {"id": "", "label": 7}]})
    return chance.choice(
        [
            (INFER, tensors, ("content-type: application/json",)),
            (INFER, BINARY + BYTES, (f"inference-header-content-length: {len(BINARY)}",)),
            (INFER, gzip.compress(tensors), ("content-encoding: gzip",)),
            (f"/v1/models/{MODEL}:predict", instances, ()),
            (f"/v2/models/{MODEL}/feedback", labels, ()),
        ]
    )


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def doubled(data: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(data)) for _ in range(2))
    return data[:end] + data[start:end] + data[end:]


def odd_token(data: bytes, chance: random.Random) -> bytes:
    tokens = [b"null", b"1e999", b"-1", b"[" * 2_000, b'"', b"\\ud800", b"\xff", b"{}", b"9" * 400, b"NaN", b"\0", b","]
    place = chance.randrange(len(data))
    return data[:place] + chance.choice(tokens) + data[place + chance.randrange(6) :]


MISTAKES: tuple[Callable[[bytes, random.Random], bytes], ...] = (flipped, cut, doubled, odd_token)


def malformed(count: int, seed: int) -> Iterator[bytes]:
    """Requests with up to three mistakes in the body, or in the whole, headers included."""
    chance = random.Random(seed)
    for _ in range(count):
        path, body, headers = request_and_body(chance)
        mistakes = chance.choices(MISTAKES, k=chance.randint(1, 3))
        if chance.random() < 0.7:
            for mistake in mistakes:
                body = mistake(body, chance) if body else b""
            yield http(path, body, *headers)
        else:
            whole = http(path, body, *headers)
            for mistake in mistakes:
                whole = mistake(whole, chance) if whole else b""
            yield whole


async def statuses(port: int, requests: Iterator[bytes]) -> Counter[str]:
    seen: Counter[str] = Counter()

    async def caller() -> None:
        for request in requests:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            writer.write_eof()  # so that no request waits for the rest of its body
            answer = await reader.read()
            writer.close()
            seen.update(re.findall(r"^HTTP/1.1 (\d)", answer.decode("latin-1"), re.MULTILINE) or ["none"])

    async with asyncio.TaskGroup() as callers:
        for _ in range(CONNECTIONS):
            callers.create_task(caller())
    return seen


def memory(pod: Pod) -> int:
    """Resident memory of the process, in KiB."""
    assert pod.process is not None
    text = Path(f"/proc/{pod.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    assert found is not None
    return int(found[1])


async def test_malformed_requests_neither_fail_the_server_nor_stay_in_its_memory(hub: Hub) -> None:
    with ready_pod(hub, mixed(), capture=True) as pod:
        early = await statuses(pod.port, malformed(REQUESTS // 2, seed=1))
        before = memory(pod)
        late = await statuses(pod.port, malformed(REQUESTS, seed=2))
        after = memory(pod)
        with Client(pod.url, MODEL) as model:
            answers = model.predict([{"age": 7, "city": "Rome", "size": 0.5}])

    assert set(early + late) <= {"2", "4", "none"}, early + late
    assert late["4"] > REQUESTS // 2
    assert after <= GROWTH * before
    assert len(answers) == 1
    assert "Traceback" not in pod.log.read_text()
