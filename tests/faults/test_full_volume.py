"""A volume with no room left: what is new is refused, what was acknowledged stays, and room is all that it takes.

The volume is a file system of its own, of a few megabytes, in a mount namespace that the hub is started in.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from tests.contract.job_processes import KEY, MODEL, Hub
from tests.contract.serving_pods import Pod, ready_pod
from tests.unit.serve.made_models import numeric

from evermodel.contract import FeedbackRequest, FeedbackRow, LabelStatus
from evermodel.tokens import Role, role_token
from evermodel_runtime.quality.prediction_id import Signer

VOLUME_BYTES = 8 * 1024**2
BLOCK_BYTES = 4096
NAMESPACE = ["unshare", "--mount", "--propagation=private"]
LABELS = 200
ROWS = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root")


@dataclass(frozen=True, slots=True)
class Volume:
    """A small file system that only processes of one mount namespace see at its place."""

    folder: Path
    holder: int
    """Process that keeps the namespace."""

    @property
    def within(self) -> tuple[str, ...]:
        """What starts a command in the namespace."""
        return ("nsenter", "--mount", f"--target={self.holder}")

    @property
    def content(self) -> Path:
        """The same folder, as the rest of the machine sees it."""
        return Path(f"/proc/{self.holder}/root{self.folder}")

    def fill(self) -> None:
        """Take every block that is left."""
        with (self.content / "filling").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(BLOCK_BYTES))
            except OSError:
                return

    def make_room(self) -> None:
        """Give back what ``fill`` took."""
        (self.content / "filling").unlink()


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    folder = tmp_path / "volume"
    folder.mkdir()
    script = f"mount -t tmpfs -o size={VOLUME_BYTES} tmpfs {folder} && echo mounted && exec cat"
    command = [*NAMESPACE, "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mounted\n"
        yield Volume(folder, holder.pid)
        holder.stdin.close()


@pytest.fixture
def hub(volume: Volume) -> Iterator[Hub]:
    made = Hub(volume.folder, within=volume.within)
    made.start()
    yield made
    made.stop()


class Labels:
    """Sends labels of new predictions and keeps an account of what the hub said."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._signer = Signer(role_token(KEY, MODEL, Role.SERVER), MODEL)
        self._issued = 0
        self.acknowledged: set[str] = set()
        self.refused: list[str] = []

    def new(self) -> list[str]:
        """Return ids of predictions just made."""
        first, self._issued = self._issued, self._issued + LABELS
        return [self._signer.issue(1, time.time(), "7", (first + n).to_bytes(8, "big")) for n in range(LABELS)]

    def send(self, ids: list[str]) -> requests.Response:
        """Send labels in one request."""
        answer = self._post(ids)
        if answer.status_code == 200:
            assert {row["status"] for row in answer.json()["results"]} == {LabelStatus.ACCEPTED}
            self.acknowledged.update(ids)
        return answer

    def send_until_refused(self) -> requests.Response:
        """Send until one request is refused; its labels are kept to be sent again."""
        while (answer := self.send(ids := self.new())).status_code == 200:
            pass
        self.refused = ids
        return answer

    def lost(self) -> set[str]:
        """Return what was acknowledged and is not in the ledger: what a second attempt adds to it."""
        ids = sorted(self.acknowledged)
        answer = self._post(ids)
        assert answer.status_code == 200, answer.text
        return {row["id"] for row in answer.json()["results"] if row["status"] != LabelStatus.DUPLICATE}

    def _post(self, ids: list[str]) -> requests.Response:
        body = msgspec.json.encode(FeedbackRequest(labels=tuple(FeedbackRow(id=one, label="7") for one in ids)))
        return ask(self._hub, "POST", f"/v1/models/{MODEL}/feedback", Role.SERVER, body)


def ask(hub: Hub, method: str, path: str, role: Role, body: bytes = b"") -> requests.Response:
    headers = {"authorization": f"Bearer {role_token(KEY, MODEL, role)}", "x-evermodel-model": MODEL}
    return requests.request(method, hub.url + path, data=body, headers=headers, timeout=30)


def upload(hub: Hub, content: bytes) -> requests.Response:
    return ask(hub, "PUT", f"/v1/blobs/{hashlib.sha256(content).hexdigest()}", Role.TRAINER, content)


def assert_refused(answer: requests.Response) -> None:
    assert answer.status_code == 507, answer.text
    assert "volume is full and nothing of this was kept" in answer.json()["error"]
    assert answer.headers["retry-after"] == "30"


def predict(pod: Pod) -> Any:
    answer = requests.post(f"{pod.url}/v1/models/{MODEL}:predict", json={"instances": ROWS}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_labels_and_uploads_are_refused_until_there_is_room(hub: Hub, volume: Volume) -> None:
    labels = Labels(hub)
    assert labels.send(labels.new()).status_code == 200
    volume.fill()
    assert_refused(labels.send_until_refused())
    for content in (b"small", bytes(VOLUME_BYTES)):
        assert_refused(upload(hub, content))
    assert_refused(labels.send(labels.refused))

    volume.make_room()
    assert labels.send(labels.refused).status_code == 200
    assert upload(hub, b"small").status_code == 201
    assert labels.lost() == set()


def test_what_was_acknowledged_outlives_a_kill_on_a_full_volume(hub: Hub, volume: Volume) -> None:
    labels = Labels(hub)
    volume.fill()
    assert_refused(labels.send_until_refused())
    hub.kill()
    hub.start()
    assert labels.lost() == set()
    assert_refused(labels.send(labels.refused))
    volume.make_room()
    assert labels.send(labels.refused).status_code == 200
    assert labels.lost() == set()


def test_a_hub_with_a_full_volume_ends_in_order(hub: Hub, volume: Volume, capfd: pytest.CaptureFixture[str]) -> None:
    labels = Labels(hub)
    volume.fill()
    assert_refused(labels.send_until_refused())
    hub.stop()
    assert hub.process is not None
    assert hub.process.returncode == 0
    assert "Traceback" not in capfd.readouterr().err
    volume.make_room()
    hub.start()
    assert labels.send(labels.refused).status_code == 200
    assert labels.lost() == set()


def test_predictions_go_on_beside_a_full_volume(hub: Hub, volume: Volume) -> None:
    labels = Labels(hub)
    with ready_pod(hub, numeric()) as pod:
        early = predict(pod)["prediction_ids"]
        volume.fill()
        assert_refused(labels.send_until_refused())
        late = predict(pod)["prediction_ids"]
        given = {"labels": [{"id": one, "label": 0} for one in (*early, *late)]}
        answer = requests.post(f"{pod.url}/v2/models/{MODEL}/feedback", json=given, timeout=30)
        assert answer.status_code == 507
        assert "volume is full" in answer.text
        assert answer.headers["retry-after"] == "30"
        assert predict(pod)["predictions"] == [0, 1]

        volume.make_room()
        answer = requests.post(f"{pod.url}/v2/models/{MODEL}/feedback", json=given, timeout=30)
        assert answer.status_code == 200
        assert answer.json()["accepted"] == len(given["labels"])
