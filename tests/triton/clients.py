"""Triton's published clients in an environment of their own, since they want an older protobuf than ours."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from tests.cluster.profiles import cache_root

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
SECONDS = 120.0
NOT_READY = 3
"""What ``ask.py`` ends with where a server says that it is not ready."""


class NotReadyError(Exception):
    """A server, or the model, is not ready."""


class Asked(msgspec.Struct, frozen=True):
    """What the clients were told."""

    fields: dict[str, tuple[int, int]]
    """Number and type of each field of the protocol's messages, as the clients were compiled."""

    inputs: dict[str, list[str]]
    """Names of the model's inputs, by protocol."""
    answers: dict[str, dict[str, Any]]
    """Outputs by name and the prediction ids, by the way of asking."""
    refusals: dict[str, dict[str, str]]
    """Status and message of a wrong request, by protocol."""


def ask(http: str, grpc: str, model: str, columns: Mapping[str, Any]) -> Asked:
    """Ask a model for the rows of these columns in every way that the clients have.

    Parameters
    ----------
    http, grpc : str
        Addresses as HOST:PORT.
    columns : mapping
        Inputs by name, each with ``datatype`` and ``rows``.

    Raises
    ------
    NotReadyError
        The server, or the model, says that it is not ready.
    """
    argv = [str(environment() / "bin" / "python"), str(HERE / "ask.py"), http, grpc, model]
    ended = subprocess.run(argv, input=json.dumps(columns).encode(), capture_output=True, timeout=SECONDS, check=False)
    if ended.returncode == NOT_READY:
        raise NotReadyError
    assert ended.returncode == 0, ended.stderr.decode()
    return msgspec.json.decode(ended.stdout, type=Asked)


def environment() -> Path:
    """Return the folder of the environment, which is made at the first time."""
    content = REQUIREMENTS.read_bytes() + sys.version.encode()
    folder = cache_root() / "triton" / hashlib.sha256(content).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of two processes may want it at the same time
        if not (folder / ".ready").exists():
            _make(folder)
    return folder


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--requirement", str(REQUIREMENTS)], check=True)
    (folder / ".ready").touch()
