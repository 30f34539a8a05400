"""The servers that are compared, each one process on loopback and on one core."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from tests.contract.job_processes import KEY, SOURCES, Hub, Jobs, environment, free_port

from evermodel.contract import SERVE_ENV, TOKEN_ENV, DataSource, Manifest, ServeConfig, TrainReport, TrainRun
from evermodel.tokens import Role, role_token

HERE = Path(__file__).parent
SERVER_CORE = "0"
CLIENT_CORE = "1"
MODEL = "digits"
"""The name that the test's hub process gives its model."""
START_SECONDS = 60.0
PAUSE_SECONDS = 0.005
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers, and where."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    seconds_to_answer: float
    """From the start of the process to its first answer."""

    @property
    def url(self) -> str:
        """Where requests go."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def rss_mb(self) -> float:
        """Resident memory of the process and its children now, in MB."""
        return rss_mb(self.process.pid)


def rss_mb(process: int) -> float:
    """Return the resident memory of a process and its children, in MB."""
    return sum(_rss_kb(pid) for pid in _family(process)) / 1000


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _rss_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


@dataclass(frozen=True, slots=True)
class Trained:
    """A model in the hub."""

    digest: str
    manifest: Manifest


@dataclass
class Site:
    """A hub with models that real training Jobs made, and the environments of the other servers."""

    folder: Path
    environments: Path
    hub: Hub = field(init=False)

    def __enter__(self) -> Self:
        """Start the hub."""
        self.hub = Hub(self.folder / "hub")
        self.hub.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the hub."""
        self.hub.stop()

    def train(self, estimator: str, parameters: dict[str, object]) -> Trained:
        """Run a training Job; returns what it published."""
        run = TrainRun(
            namespace="bench",
            model=MODEL,
            version=1,
            hub_url=self.hub.url,
            data=DataSource(uri="sklearn://breast_cancer", target="target"),
            estimator=estimator,
            parameters=parameters,
        )
        ended = Jobs(self.folder).run("train", run)
        if not isinstance(ended.report, TrainReport):
            raise SystemExit(f"training {estimator} failed: {ended.report}\n{ended.errors}")
        manifest = msgspec.json.decode(self.hub.client().blob(ended.report.manifest), type=Manifest)
        return Trained(ended.report.manifest, manifest)

    def model_file(self, trained: Trained) -> Path:
        """Return a file with the model that the hub has."""
        file = self.folder / trained.manifest.artifact
        file.write_bytes(self.hub.client().blob(trained.manifest.artifact))
        return file

    @contextlib.contextmanager
    def evermodel(self, trained: Trained, *, grpc_port: int | UnsetType = UNSET) -> Iterator[Server]:
        """Serve as a pod does: ids, metrics, heartbeats and captured rows."""
        port = free_port()
        config = ServeConfig(
            namespace="bench",
            model=MODEL,
            version=1,
            hub_url=self.hub.url,
            manifest=trained.digest,
            capture=True,
            grpc_port=grpc_port,
        )
        environ = {
            SERVE_ENV: msgspec.json.encode(config).decode(),
            TOKEN_ENV: role_token(KEY, MODEL, Role.SERVER),
            "EVERMODEL_PORT": str(port),
            "EVERMODEL_HOST": "127.0.0.1",
            "EVERMODEL_DRAIN_SECONDS": "0",
        }
        command = [sys.executable, "-m", "evermodel_runtime", "serve"]
        with self._started("Evermodel", command, port, f"/v2/models/{MODEL}", environ) as server:
            yield server

    @contextlib.contextmanager
    def plain(self, kind: str, *files: Path) -> Iterator[Server]:
        """Serve an echo, or a model without anything around it."""
        port = free_port()
        command = [sys.executable, str(HERE / "plain_server.py"), kind, str(port), *map(str, files)]
        with self._started(kind, command, port, "", {"PYTHONPATH": SOURCES}) as server:
            yield server

    @contextlib.contextmanager
    def mlserver(self, estimator: str, *, workers: int) -> Iterator[Server]:
        """Serve by MLServer; without workers the model answers in the server's own process."""
        port, rest = free_port(), [free_port() for _ in range(2)]
        folder = self._fitted("mlserver", estimator)
        settings = {
            "http_port": port,
            "grpc_port": rest[0],
            "metrics_port": rest[1],
            "host": "127.0.0.1",
            "parallel_workers": workers,
            "debug": False,
        }
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        model = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel"}
        model_file = model | {"parameters": {"uri": "./model.joblib"}}
        (folder / "model-settings.json").write_text(json.dumps(model_file), encoding="utf-8")
        command = [str(self.environments / "mlserver" / "bin" / "mlserver"), "start", str(folder)]
        name = f"MLServer, {'one worker' if workers else 'in process'}"
        with self._started(name, command, port, "/v2/models/model", {}) as server:
            yield server

    @contextlib.contextmanager
    def kserve(self, estimator: str) -> Iterator[Server]:
        """Serve by KServe's Python SDK."""
        port = free_port()
        folder = self._fitted("kserve", estimator)
        command = [str(self._python("kserve")), str(HERE / "kserve_server.py"), str(folder), str(port)]
        with self._started("KServe SDK", command, port, "/v2/models/model", {}) as server:
            yield server

    def _fitted(self, environment_name: str, estimator: str) -> Path:
        folder = self.folder / f"{environment_name}-{estimator}"
        if not folder.exists():
            folder.mkdir()
            subprocess.run([self._python(environment_name), HERE / "fit.py", estimator, folder], check=True)
        return folder

    def _python(self, environment_name: str) -> Path:
        return self.environments / environment_name / "bin" / "python"

    @contextlib.contextmanager
    def _started(
        self, name: str, command: list[str], port: int, model_path: str, environ: dict[str, str]
    ) -> Iterator[Server]:
        """Start a process on its core and wait for its first answer; end it and its children afterwards."""
        log = self.folder / f"{name}.log"
        began = time.perf_counter()
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["taskset", "-c", SERVER_CORE, *command],
                env={**environment(), "HOME": os.environ.get("HOME", "/"), **ONE_THREAD, **environ}
                if environ
                else {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **ONE_THREAD},
                stdout=output,
                stderr=output,
                cwd=self.folder,  # MLServer leaves files where it is
                start_new_session=True,
            )
        path = f"{model_path}/infer" if model_path else "/"
        try:
            self._wait(process, f"http://127.0.0.1:{port}{path}", log)
            yield Server(name, process, port, path, time.perf_counter() - began)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        body = json.dumps(request(1)).encode()
        while not _answers(url, body):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server at {url} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(PAUSE_SECONDS)


def request(rows: int) -> dict[str, Any]:
    """Return a request body of some rows of 30 features."""
    data = [round(0.37 * ((row * 31 + column * 17) % 97), 3) for row in range(rows) for column in range(30)]
    return {"inputs": [{"name": "X", "shape": [rows, 30], "datatype": "FP64", "data": data}]}


def binary_request(rows: int) -> tuple[bytes, bytes]:
    """Return the JSON of the same request with bytes for its numbers, and these bytes; bytes are asked for, too."""
    (tensor,) = request(rows)["inputs"]
    content = np.array(tensor["data"], "<f4").tobytes()
    described = {
        "name": "X",
        "shape": [rows, 30],
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(content)},
    }
    return json.dumps({"inputs": [described], "parameters": {"binary_data_output": True}}).encode(), content


def _answers(url: str, body: bytes) -> bool:
    asked = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False
