"""A real hub process on loopback, and Jobs as processes that speak to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import requests
from tests.unit.runtime.memory_hub import numbers

from evermodel.contract import (
    HUB_KEY_ENV,
    RUN_ENV,
    TOKEN_ENV,
    Capture,
    FeedbackRequest,
    FeedbackRow,
    Heartbeat,
    LineageEntry,
    Manifest,
    Quality,
    QualityQuery,
    RunConfig,
    RunProgress,
    RunReport,
    Scalar,
)
from evermodel.tokens import Role, role_token
from evermodel_runtime.artifacts.hub_client import FIRST_PAUSE_SECONDS, HubClient
from evermodel_runtime.artifacts.manifests import encode_manifest
from evermodel_runtime.quality.prediction_id import Signer

KEY = "3d" * 32
MODEL = "digits"
SOURCES = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("operator", "trainer_image"))
START_SECONDS = 30.0
JOB_SECONDS = 120.0


@dataclass
class Hub:
    """One hub process and what its callers say to it."""

    folder: Path
    within: tuple[str, ...] = ()
    """Command that the process is started by, where it is to see something else than the machine."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    predictions: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        if not self.port:  # a second start takes the same address, as a Service does
            self.port = free_port()
        environ = {
            HUB_KEY_ENV: KEY,
            "EVERMODEL_HUB_DATA": str(self.folder),
            "EVERMODEL_HUB_HOST": "127.0.0.1",
            "EVERMODEL_HUB_PORT": str(self.port),
        }
        self.process = start_process(["hub"], environ, self.within)
        session = requests.Session()
        retries = requests.adapters.HTTPAdapter(max_retries=until_up())
        session.mount(self.url, retries)
        session.get(f"{self.url}/readyz", timeout=START_SECONDS).raise_for_status()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_SECONDS)

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_SECONDS)

    def client(self, role: Role = Role.TRAINER) -> HubClient:
        return HubClient(self.url, MODEL, role_token(KEY, MODEL, role))

    def report(self, version: int, stage: str) -> RunReport:
        answer = self._ask("GET", f"/v1/models/{MODEL}/runs/{version}/{stage}", Role.OPERATOR)
        report: RunReport = msgspec.json.decode(answer, type=RunReport)
        return report

    def manifest(self, sha256: str) -> Manifest:
        return msgspec.json.decode(self.client().blob(sha256), type=Manifest)

    def progress(self, version: int, stage: str) -> str:
        answer = self._ask("GET", f"/v1/models/{MODEL}/runs/{version}/{stage}/progress", Role.OPERATOR)
        return msgspec.json.decode(answer, type=RunProgress).message

    def quality(self, query: QualityQuery) -> Quality:
        """Ask as the operator does."""
        answer = self._ask("POST", f"/v1/models/{MODEL}/quality", Role.OPERATOR, msgspec.json.encode(query))
        return msgspec.json.decode(answer, type=Quality)

    def upload(self, name: str, content: bytes) -> None:
        self._ask("PUT", f"/v1/datasets/{name}", Role.UPLOADER, content, model="*")

    def promote(self, manifest: str, *, version: int = 1) -> None:
        """Say, as the operator does, that a version became champion."""
        entry = LineageEntry(
            number=version,
            training_hash="hash",
            manifest=manifest,
            holdout=0.9,
            holdout_set="reference",
            promoted_at=time.time(),
            data_sha256="digest",
        )
        self._ask("POST", f"/v1/models/{MODEL}/lineage", Role.OPERATOR, msgspec.json.encode(entry))

    def serve(self, *names: str, version: int = 1, target: str | None = None) -> None:
        """Let a version be champion that takes these columns of numbers, in this order, and answers the target."""
        manifest = Manifest(
            model=MODEL,
            version=version,
            columns=numbers(*names),
            target=target,
            onnx_inputs="matrix",
            training_rows="none",
            data_sha256="digest",
            feedback_through=None,
            estimator="GaussianNB",
            parameters={},
            libraries={},
        )
        self.promote(self.client().put_blob(encode_manifest(manifest)), version=version)

    def label(
        self, rows: Sequence[Sequence[Scalar]], labels: Sequence[Scalar], *, version: int = 1, age: float = 0.0
    ) -> int:
        """Let a pod that serves a version capture rows and pass on their labels; returns how many were accepted.

        ``age`` is how long ago they were predicted, in seconds.
        """
        signer = Signer(role_token(KEY, MODEL, Role.SERVER), MODEL)
        ids = []
        for _ in rows:
            self.predictions += 1
            ids.append(signer.issue(version, time.time() - age, "0", self.predictions.to_bytes(8, "big")))
        captures = tuple(Capture(id=name, row=tuple(row)) for name, row in zip(ids, rows, strict=True))
        beat = Heartbeat(pod="pod", version=version, predictions=self.predictions, captures=captures)
        self._ask("POST", f"/v1/models/{MODEL}/heartbeat", Role.SERVER, msgspec.json.encode(beat))
        told = FeedbackRequest(
            labels=tuple(FeedbackRow(id=name, label=label) for name, label in zip(ids, labels, strict=True))
        )
        answer = self._ask("POST", f"/v1/models/{MODEL}/feedback", Role.SERVER, msgspec.json.encode(told))
        accepted: int = msgspec.json.decode(answer)["accepted"]
        return accepted

    def _ask(self, method: str, path: str, role: Role, body: bytes | None = None, model: str = MODEL) -> bytes:
        headers = {"authorization": f"Bearer {role_token(KEY, model, role)}", "x-evermodel-model": model}
        response = requests.request(method, self.url + path, data=body, headers=headers, timeout=30)
        response.raise_for_status()
        return response.content


@dataclass
class Ended:
    """What is left of a Job."""

    exit_code: int
    output: str
    errors: str
    report: Any


@dataclass
class Jobs:
    """Starts Jobs as the operator's pods would."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    """What else ``subprocess.Popen`` is told."""

    def run(self, command: str, config: RunConfig | bytes, *, token: str | None = None) -> Ended:
        return self.ended(self.start(command, config, token=token))

    def ended(self, process: subprocess.Popen[bytes]) -> Ended:
        output, errors = process.communicate(timeout=JOB_SECONDS)
        report: RunReport = msgspec.json.decode((self.folder / "termination-log").read_bytes(), type=RunReport)
        return Ended(process.returncode, output.decode(), errors.decode(), report)

    def start(self, command: str, config: RunConfig | bytes, *, token: str | None = None) -> subprocess.Popen[bytes]:
        environ = {
            RUN_ENV: config.decode() if isinstance(config, bytes) else msgspec.json.encode(config).decode(),
            TOKEN_ENV: token or role_token(KEY, MODEL, Role.TRAINER),
            "EVERMODEL_TERMINATION_LOG": str(self.folder / "termination-log"),
            "EVERMODEL_SOURCE_DIR": str(self.folder / "source"),
            **self.environ,
        }
        (self.folder / "termination-log").unlink(missing_ok=True)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return start_process([command], environ, **pipes, **self.options)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def environment() -> dict[str, str]:
    """What a process of the runtime needs to find its code."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCES}


def start_process(
    arguments: list[str], environ: Mapping[str, str], within: Sequence[str] = (), /, **options: Any
) -> subprocess.Popen[bytes]:
    command = [*within, sys.executable, "-m", "evermodel_runtime", *arguments]
    return subprocess.Popen(command, env={**environment(), **environ}, **options)


def until_up() -> Any:
    from urllib3.util import Retry  # noqa: PLC0415 - only here

    pause = FIRST_PAUSE_SECONDS
    return Retry(total=100, status_forcelist=[503], raise_on_status=False, backoff_factor=pause, backoff_max=pause)
