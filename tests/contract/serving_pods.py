"""Serving pods as processes on loopback, for tests that are not asynchronous themselves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import requests
from msgspec import UNSET, UnsetType
from tests.contract.job_processes import KEY, MODEL, START_SECONDS, Hub, free_port, start_process, until_up
from tests.unit.serve.made_models import Made

from evermodel.contract import SERVE_ENV, TOKEN_ENV, CaptureRules, ServeConfig
from evermodel.tokens import Role, role_token

VERSION = 3


@dataclass
class Pod:
    """One serving process; started again, it takes the same address, as a Service does."""

    config: ServeConfig
    log: Path
    port: int
    drain_seconds: float = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environ = {
            SERVE_ENV: msgspec.json.encode(self.config).decode(),
            TOKEN_ENV: role_token(KEY, MODEL, Role.SERVER),
            "EVERMODEL_PORT": str(self.port),
            "EVERMODEL_HOST": "127.0.0.1",
            "EVERMODEL_DRAIN_SECONDS": str(self.drain_seconds),
        }
        with self.log.open("ab") as log:
            self.process = start_process(["serve"], environ, stdout=log, stderr=log)

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.config.grpc_port}"

    def wait(self) -> None:
        with requests.Session() as session:
            session.mount(self.url, requests.adapters.HTTPAdapter(max_retries=until_up()))
            asked = {"connection": "close"}  # a pod that drains would wait for it
            session.get(f"{self.url}/v2/health/ready", headers=asked, timeout=START_SECONDS).raise_for_status()

    def stop(self) -> None:
        """Let it drain, and hand over to the hub what it has."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_SECONDS)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_SECONDS)


@contextmanager
def serving(hub: Hub, config: ServeConfig, *, drain_seconds: float = 0) -> Iterator[Pod]:
    """Serve a version, and end the pod in the end."""
    pod = Pod(config, hub.folder / "pod.log", free_port(), drain_seconds)
    try:
        pod.start()
        pod.wait()
        yield pod
    finally:
        pod.kill()


@contextmanager
def ready_pod(
    hub: Hub,
    made: Made,
    *,
    capture: bool = False,
    rules: CaptureRules | UnsetType = UNSET,
    grpc_port: int | UnsetType = UNSET,
    drain_seconds: float = 0,
) -> Iterator[Pod]:
    """Publish an artifact and serve it."""
    client = hub.client()
    client.put_blob(made.onnx)
    client.put_blob(made.manifest_bytes)
    config = config_of(hub, made, capture=capture, rules=rules, grpc_port=grpc_port)
    with serving(hub, config, drain_seconds=drain_seconds) as pod:
        yield pod


def config_of(
    hub: Hub,
    made: Made,
    *,
    capture: bool = False,
    rules: CaptureRules | UnsetType = UNSET,
    grpc_port: int | UnsetType = UNSET,
) -> ServeConfig:
    """Return what a pod is told that serves an artifact."""
    return ServeConfig(
        namespace="ml",
        model=MODEL,
        version=VERSION,
        hub_url=hub.url,
        manifest=made.digest,
        capture=capture,
        capture_rules=rules,
        grpc_port=grpc_port,
    )
