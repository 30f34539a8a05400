"""What kstatus, the library behind kubectl, Flux and Argo CD, makes of an object's status."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.cluster.profiles import cache_root

HERE = Path(__file__).resolve().parent
SOURCES = ("go.mod", "go.sum", "main.go")


def kstatus(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return Current, InProgress, Failed, Terminating or Unknown for each object."""
    return [reading["status"] for reading in readings(objects)]


def readings(objects: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return name, status and message for each object."""
    lines = "\n".join(json.dumps(one) for one in objects)
    done = subprocess.run([program()], input=lines, check=True, capture_output=True, text=True, timeout=30)
    return [json.loads(line) for line in done.stdout.splitlines()]


@cache
def program() -> Path:
    """Return the program, built when there is none of these sources."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SOURCES)).hexdigest()[:16]
    built = cache_root() / "bin" / f"kstatus-{digest}"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place and moved: another process never starts half a program.
        with tempfile.TemporaryDirectory(dir=built.parent) as folder:
            target = Path(folder) / "kstatus"
            environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}
            subprocess.run(["go", "build", "-o", target, "."], cwd=HERE, env=environment, check=True)
            target.replace(built)
    return built
