"""The real hub of a namespace, and what serving pods and clients would tell it."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import requests
from tests.faults.hub_process import HubProcess

from evermodel.contract import (
    HUB_KEY_ENV,
    BinCounts,
    Capture,
    FeedbackRequest,
    FeedbackRow,
    Heartbeat,
    LineageEntry,
    Reference,
    RunProgress,
    RunReport,
)
from evermodel.tokens import Role, hub_key, role_token
from evermodel_runtime.quality.prediction_id import Signer

SECONDS = 30.0


@dataclass(slots=True)
class NamespaceHub:
    """A hub process with the key that the operator derives for its namespace."""

    key: str
    process: HubProcess
    predictions: dict[str, int] = field(default_factory=dict)
    pods: dict[str, int] = field(default_factory=dict)
    """Serving pods of each model that have counted rows."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.process.port}"

    def freeze(self) -> None:
        """Let it accept connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def clean_up(self) -> None:
        if self.process.process is not None and self.process.process.poll() is None:
            self.thaw()
            self.process.kill()

    def predict(self, model: str, version: int, count: int, predicted: str | float = "1") -> list[str]:
        """Let a serving pod make and capture predictions of class 1, or of a number; returns their signed ids."""
        signer = Signer(role_token(self.key, model, Role.SERVER), model)
        start = self.predictions.get(model, 0)
        total = self.predictions[model] = start + count
        ids = [
            signer.issue(version, time.time(), predicted, number.to_bytes(8, "big")) for number in range(start, total)
        ]
        captures = tuple(Capture(id=one, row=(0.5, 1.5)) for one in ids)
        beat = Heartbeat(pod=f"pod-of-{version}", version=version, predictions=total, captures=captures)
        self._ask("POST", model, "heartbeat", Role.SERVER, msgspec.json.encode(beat))
        return ids

    def count(self, model: str, version: int, reference: Reference, counts: tuple[int, ...]) -> None:
        """Let another serving pod count rows over the bins that training left."""
        content = msgspec.json.encode(reference)
        digest = hashlib.sha256(content).hexdigest()
        self._send("PUT", f"{self.url}/v1/blobs/{digest}", model, Role.TRAINER, content)
        number = self.pods[model] = self.pods.get(model, 0) + 1
        bins = BinCounts(reference=digest, requests=1, refused=0, counts=counts)
        beat = Heartbeat(pod=f"counts-{number}", version=version, predictions=0, bins=bins)
        self._ask("POST", model, "heartbeat", Role.SERVER, msgspec.json.encode(beat))

    def label(self, model: str, ids: list[str], label: float) -> None:
        """Send what was true of predictions."""
        rows = tuple(FeedbackRow(id=one, label=label) for one in ids)
        self._ask("POST", model, "feedback", Role.SERVER, msgspec.json.encode(FeedbackRequest(labels=rows)))

    def keep_report(self, model: str, version: int, stage: str, report: RunReport) -> None:
        """Keep the report of a Job."""
        self._ask("PUT", model, f"runs/{version}/{stage}", Role.TRAINER, msgspec.json.encode(report))

    def say(self, model: str, version: int, stage: str, message: str) -> None:
        """Say what a Job is doing."""
        body = msgspec.json.encode(RunProgress(message=message))
        self._ask("PUT", model, f"runs/{version}/{stage}/progress", Role.TRAINER, body)

    def lineage(self, model: str) -> list[LineageEntry]:
        answer = self._ask("GET", model, "lineage", Role.TRAINER)
        entries: list[LineageEntry] = msgspec.convert(msgspec.json.decode(answer)["entries"], list[LineageEntry])
        return entries

    def _ask(self, method: str, model: str, what: str, role: Role, body: bytes | None = None) -> bytes:
        return self._send(method, f"{self.url}/v1/models/{model}/{what}", model, role, body)

    def _send(self, method: str, url: str, model: str, role: Role, body: bytes | None) -> bytes:
        headers = {"authorization": f"Bearer {role_token(self.key, model, role)}", "x-evermodel-model": model}
        answer = requests.request(method, url, data=body, headers=headers, timeout=SECONDS)
        assert answer.ok, f"{method} {url}: {answer.text}"
        return answer.content

    def _signal(self, number: signal.Signals) -> None:
        assert self.process.process is not None
        self.process.process.send_signal(number)


def start_hub(folder: Path, master: bytes, namespace: str) -> NamespaceHub:
    key = hub_key(master, namespace)
    process = HubProcess(folder, environ={HUB_KEY_ENV: key})
    asyncio.run(process.start())
    return NamespaceHub(key=key, process=process)
