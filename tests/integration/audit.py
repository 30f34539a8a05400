"""What the operator's user wrote, by the API server's own record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USER = "evermodel-operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request that changed something, or tried to."""

    verb: str
    resource: str
    """With its subresource after a slash."""
    name: str
    code: int
    sent: str
    """The body without what differs between two attempts at the same write."""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.name} → {self.code}: {self.sent[:300]}"


class Audit:
    """The writes in one namespace from now on, in order."""

    def __init__(self, log: Path, namespace: str) -> None:
        self._log = log
        self._namespace = namespace
        self._start = log.stat().st_size

    def restart(self) -> None:
        """Count from now on."""
        self._start = self._log.stat().st_size

    def writes(self, *, of: Iterable[str] = (), but: Iterable[str] = ("leases",)) -> list[Write]:
        """Return writes of some resources, or of all but some."""
        kept, dropped = set(of), set(but)
        return [
            write
            for write in self._read()
            if write.resource not in dropped and (not kept or write.resource.partition("/")[0] in kept)
        ]

    def shown(self) -> str:
        """Return the writes, Events too, as text."""
        return "\n".join(map(str, self.writes()))

    def _read(self) -> Iterator[Write]:
        with self._log.open("rb") as log:
            log.seek(self._start)
            for line in log:
                if not line.endswith(b"\n"):  # half of a line that is being written
                    return
                event = json.loads(line)
                about = event.get("objectRef") or {}
                if event["user"]["username"] == USER and about.get("namespace") == self._namespace:
                    yield _write(event, about)


def repeated(writes: Iterable[Write]) -> list[Write]:
    """Return the writes that were done more than once."""
    return [write for write, count in Counter(writes).items() if count > 1]


def created(writes: Iterable[Write], resource: str) -> list[str]:
    """Return the names of the objects that were created, in order."""
    return [write.name for write in writes if (write.verb, write.resource, write.code) == ("create", resource, 201)]


def _write(event: dict[str, Any], about: dict[str, Any]) -> Write:
    sent = event.get("requestObject") or {}
    metadata = {key: value for key, value in (sent.get("metadata") or {}).items() if key != "resourceVersion"}
    resource = "/".join(part for part in (about["resource"], about.get("subresource")) if part)
    return Write(
        verb=event["verb"],
        resource=resource,
        name=about.get("name") or metadata.get("name", ""),
        code=event["responseStatus"]["code"],
        sent=json.dumps(sent | {"metadata": metadata}, sort_keys=True),
    )
