"""What can go wrong with a request to the API server; the type decides what happens next.

KubeError
├── NotFound               the object (or its kind) is not there
├── Conflict               a precondition did not hold: somebody else wrote in the meantime
│   └── AlreadyExists      an object of this name is there
├── Expired                a list took longer than the API server remembers: begin it again
├── Rejected               it will be refused again until a person acts
│   ├── Forbidden          no permission, or a quota is used up
│   │   └── NamespaceEnding  the namespace is being deleted, and with it whatever was wanted
│   └── Invalid            the schema or an admission policy refuses the object
└── Transient              try again
    └── TooManyRequests    try again, not before ``retry_after`` seconds
"""

# ruff: noqa: N818 - the names say what happened, as HTTP does
from __future__ import annotations


class KubeError(Exception):
    """A request that the API server did not fulfil."""


class NotFound(KubeError):
    """404."""


class Conflict(KubeError):
    """409: the resourceVersion or the UID is no longer the one that was asked for."""


class AlreadyExists(Conflict):
    """409 for a create."""


class Expired(KubeError):
    """410."""


class Rejected(KubeError):
    """4xx that a repetition does not change."""


class Forbidden(Rejected):
    """403."""


class NamespaceEnding(Forbidden):
    """403 for a create in a namespace that is being deleted."""


class Invalid(Rejected):
    """400 or 422."""


class Transient(KubeError):
    """The API server was not reached, took too long or failed."""


class TooManyRequests(Transient):
    """429: the API server protects itself."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""
