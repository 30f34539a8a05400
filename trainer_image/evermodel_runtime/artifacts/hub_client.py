"""A Job's way to the hub: every request is safe to repeat, and is repeated until the hub has been away for too long."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import msgspec
import requests

from evermodel.contract import (
    Column,
    FailureReason,
    FreshRange,
    HeldoutUse,
    HeldoutUseReply,
    HubError,
    LabelledRecord,
    LabelledRecords,
    RunProgress,
    RunReport,
    Trial,
    TrialBegun,
    Trials,
    TrialsLeft,
)
from evermodel_runtime.data.failure import JobError

T = TypeVar("T")
PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = (5.0, 60.0)
"""To connect, and between two bytes."""
PAGE = 5000
PIECE = 1 << 20
DIGEST_HEADER = "x-evermodel-sha256"
RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT})


class HubRefusedError(Exception):
    """The hub answered, and asking again would get the same answer: a wrong token, a wrong message, a full disk."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The clock of the retries."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    patience: float = PATIENCE_SECONDS
    """Seconds for which the hub may be away."""


@dataclass(slots=True)
class HubClient:
    """Speaks for one model with the trainer's token."""

    url: str
    model: str
    token: str = field(repr=False)
    waiting: Waiting = field(default_factory=Waiting)
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.trust_env = False  # a proxy of the environment does not know the cluster's Services
        self._session.headers.update({"authorization": f"Bearer {self.token}", "x-evermodel-model": self.model})

    def put_blob(self, content: bytes) -> str:
        """Store an artifact; returns its sha256."""
        digest = hashlib.sha256(content).hexdigest()
        self._checked("PUT", f"/v1/blobs/{digest}", content)
        return digest

    def blob(self, sha256: str) -> bytes:
        """Fetch an artifact and verify it.

        Raises
        ------
        JobError
            DigestMismatch when the hub's bytes are not those.
        """
        return _verified(self._checked("GET", f"/v1/blobs/{sha256}").content, sha256, f"artifact {sha256}")

    def dataset(self, name: str, admit: Callable[[int], None]) -> bytes | None:
        """Fetch an uploaded file; None when there is none of that name. ``admit`` sees its size first."""
        path = f"/v1/datasets/{quote(name, safe='')}"
        return self._ask("GET", path, None, lambda response: _file(response, f"hub://{name}", admit))

    def records(self, wanted: FreshRange) -> LabelledRecords:
        """Fetch the labelled records of a range of the ledger, page by page."""
        found: list[LabelledRecord] = []
        columns: dict[int, tuple[Column, ...]] = {}
        targets: dict[int, str] = {}
        after = wanted.after
        while after < wanted.through:
            query = f"after={after}&through={wanted.through}&predictedAfter={wanted.predicted_after!r}&limit={PAGE}"
            page = _decoded(self._checked("GET", f"{self._home}/records?{query}"), LabelledRecords)
            found.extend(page.records)
            columns |= page.columns
            targets |= page.targets
            if not page.more or page.through <= after:
                break
            after = page.through
        return LabelledRecords(
            records=tuple(found), columns=columns, targets=targets, through=wanted.through, more=False
        )

    def use_heldout(self, use: HeldoutUse) -> int:
        """Say that held-out rows are used to decide; returns k."""
        response = self._checked("POST", f"{self._home}/heldout-uses", msgspec.json.encode(use))
        return _decoded(response, HeldoutUseReply).use

    def put_progress(self, version: int, stage: str, message: str) -> None:
        """Say what a Job is doing, once: a hub that does not answer will hear the next word."""
        body = msgspec.json.encode(RunProgress(message=message))
        path = f"{self._home}/runs/{version}/{stage}/progress"
        with suppress(requests.RequestException):
            self._session.put(self.url + path, data=body, timeout=TIMEOUT_SECONDS)

    def put_report(self, version: int, stage: str, report: RunReport) -> None:
        """Hand in the full report of a run; ``stage`` is train or evaluate."""
        self._checked("PUT", f"{self._home}/runs/{version}/{stage}", msgspec.json.encode(report))

    def trials(self, version: int, run: str) -> tuple[Trial, ...]:
        """Fetch the trials of a search that have ended; ``run`` is its digest."""
        return _decoded(self._checked("GET", f"{self._home}/trials/{version}/{run}"), Trials).trials

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        """Keep a trial that has ended, so that a search that is started again need not repeat it."""
        self._checked("POST", f"{self._home}/trials/{version}/{run}", msgspec.json.encode(trial))

    def begin_trial(self, version: int, run: str, left: TrialsLeft) -> int | None:
        """Ask which trial to make next; an answer that is lost leaves one that others make later."""
        path = f"{self._home}/trials/{version}/{run}/begun"
        return _decoded(self._checked("POST", path, msgspec.json.encode(left)), TrialBegun).number

    @property
    def _home(self) -> str:
        return f"/v1/models/{quote(self.model, safe='')}"

    def _checked(self, method: str, path: str, body: bytes | None = None) -> requests.Response:
        return _accepted(self._ask(method, path, body, _whole))

    def _ask(self, method: str, path: str, body: bytes | None, take: Callable[[requests.Response], T]) -> T:
        """Send until the hub answers anything but "later", and the answer has been taken to its end."""
        deadline = self.waiting.now() + self.waiting.patience
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                with self._session.request(
                    method, self.url + path, data=body, timeout=TIMEOUT_SECONDS, stream=True
                ) as response:
                    if response.status_code not in RETRIED and response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                        return take(response)
                    problem = _what_it_said(response)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                problem = type(error).__name__
            if self.waiting.now() + pause > deadline:
                raise JobError(
                    FailureReason.HUB_UNAVAILABLE,
                    f"The hub at {self.url} did not answer for {self.waiting.patience:.0f} s ({problem}). "
                    "The Job will be started again; look at the pod evermodel-hub-0.",
                )
            self.waiting.pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _whole(response: requests.Response) -> requests.Response:
    _ = response.content  # which keeps it
    return response


def _file(response: requests.Response, what: str, admit: Callable[[int], None]) -> bytes | None:
    """Read a file into one piece of memory: ``content`` would hold it twice while it joins its pieces."""
    if response.status_code == HTTPStatus.NOT_FOUND:
        return None
    admit(int(_accepted(response).headers.get("content-length", 0)))
    whole = io.BytesIO()
    for piece in response.iter_content(PIECE):
        whole.write(piece)
    return _verified(whole.getvalue(), response.headers.get(DIGEST_HEADER), what)


def _accepted(response: requests.Response) -> requests.Response:
    if not response.ok:
        method, path = response.request.method, response.request.path_url
        raise HubRefusedError(f"{method} {path}: {_what_it_said(response)}")
    return response


def _what_it_said(response: requests.Response) -> str:
    try:
        text = msgspec.json.decode(response.content, type=HubError).error
    except msgspec.DecodeError:
        text = response.text[:200]
    return f"the hub answered {response.status_code}, {text}"


def _decoded(response: requests.Response, kind: type[T]) -> T:
    return msgspec.json.decode(response.content, type=kind)


def _verified(content: bytes, expected: str | None, what: str) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if expected is not None and found != expected:
        raise JobError(
            FailureReason.DIGEST_MISMATCH,
            f"{what}: the hub's bytes have sha256 {found}, not {expected}. The hub's volume is damaged; restore it.",
        )
    return content
