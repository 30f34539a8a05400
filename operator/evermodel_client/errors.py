"""What can go wrong, by what the caller can do about it.

ClientError
├── RefusedError      the request is wrong: sent again, it is refused again
└── UnavailableError  nobody answered within the bounds of Retry: it may be sent again later
"""


class ClientError(Exception):
    """Base of all errors of this package."""


class RefusedError(ClientError):
    """The server did not do what was asked; the message is the server's, with row and column if these are wrong."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} (status {status})")
        self.status = status
        """HTTP's number for it."""


class UnavailableError(ClientError):
    """The request was given up after several attempts; the message says why the last one failed."""
