"""Load by wrk, or by a client of gRPC, on loopback and from a core of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from statistics import median

from bench.serving.servers import CLIENT_CORE, MODEL, Server, binary_request, request

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Encoding(Enum):
    """How the numbers of a request, and of its answer, are sent."""

    JSON = "JSON"
    BINARY = "bytes after the JSON"
    RPC = "messages of gRPC"


CONTENT_TYPES = {Encoding.JSON: "application/json", Encoding.BINARY: "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Load:
    """What one server did in one run."""

    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of load."""

    connections: int
    rows: int = 1
    encoding: Encoding = Encoding.JSON


def run(server: Server, shape: Shape, seconds: int) -> Load:
    """Send the same request over and over for some seconds; a single answer that is not 200 ends the benchmark."""
    if shape.encoding is Encoding.RPC:
        return _calls(server, shape, seconds)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "request.lua"
        script.write_text(_script(shape, Path(folder) / "body"), encoding="utf-8")
        command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{shape.connections}", f"-d{seconds}s"]
        shown = subprocess.run(
            [*command, "--latency", "-s", str(script), server.url], check=True, capture_output=True, text=True
        ).stdout
    if "Non-2xx" in shown or "Socket errors" in shown:
        raise SystemExit(f"{server.name} did not answer every request:\n{shown}")
    return Load(float(_found(shown, r"Requests/sec:\s+([\d.]+)")), _ms(shown, "50%"), _ms(shown, "99%"))


def _calls(server: Server, shape: Shape, seconds: int) -> Load:
    client = [sys.executable, str(Path(__file__).with_name("calls.py"))]
    what = [f"127.0.0.1:{server.port}", MODEL, str(shape.connections), str(seconds)]
    shown = subprocess.run(["taskset", "-c", CLIENT_CORE, *client, *what], check=True, stdout=subprocess.PIPE).stdout
    return Load(**json.loads(shown))


def _script(shape: Shape, file: Path) -> str:
    lines = []
    if shape.encoding is Encoding.BINARY:
        head, content = binary_request(shape.rows)
        file.write_bytes(head + content)
        lines.append(f'wrk.headers["Inference-Header-Content-Length"] = "{len(head)}"')
    else:
        file.write_text(json.dumps(request(shape.rows)), encoding="utf-8")
    lines += [
        'wrk.method = "POST"',
        f'local file = io.open("{file}", "rb")',
        'wrk.body = file:read("*a")',
        "file:close()",
        f'wrk.headers["Content-Type"] = "{CONTENT_TYPES[shape.encoding]}"',
    ]
    return "\n".join(lines)


def _found(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk printed no {pattern!r}:\n{text}")
    return match.group(1)


def _ms(text: str, percentile: str) -> float:
    number = _found(text, rf"{percentile}\s+([\d.]+)(?:us|ms|s)")
    return float(number) * UNITS[_found(text, rf"{percentile}\s+[\d.]+(us|ms|s)")]


def middle(loads: list[Load], figure: Callable[[Load], float]) -> float:
    """Return the median of a figure over the runs."""
    return median(figure(load) for load in loads)
