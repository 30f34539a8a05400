"""One replica of the operator as a process, to be stopped, killed and frozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.waiting import until

from evermodel.api.generated import CHECKOUT

LEASE_SECONDS = 3
END_SECONDS = 30.0


@dataclass(slots=True)
class OperatorProcess:
    """Always the same settings; each start writes a log of its own."""

    folder: Path
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    changed: dict[str, str] = field(default_factory=dict)
    """Settings of the next start that differ."""

    @property
    def log(self) -> Path:
        return self.folder / f"operator-{self.starts}.log"

    def start(self) -> None:
        """Start and wait until it works."""
        self.start_waiting()
        self.wait_until_leading()

    def start_waiting(self) -> None:
        """Start, whoever holds the lease."""
        self.starts += 1
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT / "operator"),
            "EVERMODEL_LEASE_DURATION": f"{LEASE_SECONDS}s",
            "EVERMODEL_PORT": "0",
            "EVERMODEL_DRAIN": "1s",
            **self.settings,
            **self.changed,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "evermodel"], env=environ, stdout=log, stderr=log)

    def wait_until(self, message: str) -> None:
        """Wait for a line of the log."""
        until(f"the operator says {message!r}", lambda: self._says(message), otherwise=self.tail)

    def wait_until_leading(self) -> None:
        self.wait_until("leading")

    def kill(self) -> None:
        """End it as a crash does."""
        self._send(signal.SIGKILL)

    def stop(self) -> None:
        """End it as the kubelet does."""
        self._send(signal.SIGTERM)

    def freeze(self) -> None:
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        return self._running().wait(END_SECONDS)

    def clean_up(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    def lines(self) -> list[dict[str, Any]]:
        """Return the log of the last start."""
        whole = self.log.read_text().splitlines()
        return [json.loads(line) for line in whole if line.startswith("{") and line.endswith("}")]

    def tail(self) -> str:
        return "\n".join(line[:1000] for line in self.log.read_text().splitlines()[-30:])

    def has_said(self, message: str) -> bool:
        return any(line.get("message") == message for line in self.lines())

    def _says(self, message: str) -> bool:
        assert self._running().poll() is None, f"the operator ended: {self.tail()}"
        return self.has_said(message)

    def _send(self, number: signal.Signals) -> None:
        self._running().send_signal(number)
        self.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process
