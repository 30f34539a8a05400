"""Small Go programs of the tests: what other projects do with ours, told by their own libraries."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.cluster.profiles import cache_root

SOURCES = ("go.mod", "go.sum", "main.go")


@cache
def program(folder: Path) -> Path:
    """Return the program of a folder, built when there is none of these sources."""
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in SOURCES)).hexdigest()[:16]
    built = cache_root() / "bin" / f"{folder.name}-{digest}"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place and moved: another process never starts half a program.
        with tempfile.TemporaryDirectory(dir=built.parent) as beside:
            target = Path(beside) / folder.name
            environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}
            subprocess.run(["go", "build", "-o", target, "."], cwd=folder, env=environment, check=True)
            target.replace(built)
    return built
