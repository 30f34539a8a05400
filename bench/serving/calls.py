"""Load by gRPC: one channel, as many calls under way at a time as asked for. A process, for a core of its own.

python bench/serving/calls.py 127.0.0.1:9000 digits 16 2
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from statistics import quantiles

import grpc.aio

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from bench.serving.servers import request

from evermodel_runtime.serve.rpc.messages import SERVICE, ModelInferRequest


def message(model: str) -> bytes:
    """Return the call of one row, its numbers typed."""
    (tensor,) = request(1)["inputs"]
    numbers = tensor.pop("data")
    row = tensor | {"contents": {"fp64_contents": numbers}}
    content: bytes = ModelInferRequest(model_name=model, inputs=[row]).SerializeToString()
    return content


async def load(address: str, model: str, at_once: int, seconds: float) -> list[float]:
    """Call over and over; returns how long each call took, in seconds."""
    content = message(model)
    took: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        await infer(content, wait_for_ready=True)
        end = time.perf_counter() + seconds

        async def call() -> None:
            while (began := time.perf_counter()) < end:
                await infer(content)
                took.append(time.perf_counter() - began)

        await asyncio.gather(*(call() for _ in range(at_once)))
    return took


def main() -> int:
    """Print calls a second, median and 99th percentile as JSON."""
    address, model, at_once, seconds = sys.argv[1:]
    took = asyncio.run(load(address, model, int(at_once), float(seconds)))
    cuts = quantiles(took, n=100)
    print(json.dumps({"per_second": len(took) / float(seconds), "p50_ms": 1e3 * cuts[49], "p99_ms": 1e3 * cuts[98]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
