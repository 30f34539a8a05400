"""Where a model answers, and how it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import httpx

JSON = {"content-type": "application/json"}
TIMEOUT = httpx.Timeout(30.0, connect=5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """URLs of one model."""

    model: str
    predict: str
    feedback: str
    records: str

    @classmethod
    def of(cls, url: str, model: str) -> Addresses:
        """Return the URLs of a model at the URL of its server."""
        base, name = url.rstrip("/"), quote(model, safe="")
        return cls(
            model=f"{base}/v1/models/{name}",
            predict=f"{base}/v1/models/{name}:predict",
            feedback=f"{base}/v2/models/{name}/feedback",
            records=f"{base}/v2/models/{name}/records",
        )

    def record(self, record_id: str) -> str:
        """Return the URL of what was captured of one prediction."""
        return f"{self.records}/{quote(record_id, safe='')}"
