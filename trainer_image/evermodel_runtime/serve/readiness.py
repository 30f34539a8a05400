"""Whether this pod should get requests, and if not, why, in words."""

import asyncio


class Readiness:
    """State of one pod, changed by the loader and by the signal to stop, both on the event loop."""

    def __init__(self) -> None:
        self._reason: str | None = "starting: the artifact is not loaded yet"
        self._draining = False
        self._change = asyncio.Event()

    @property
    def reason(self) -> str | None:
        """Why the model cannot answer; None when it can."""
        return self._reason

    @reason.setter
    def reason(self, reason: str | None) -> None:
        self._reason = reason
        self._tell()

    @property
    def draining(self) -> bool:
        """Whether the pod is going away: it still answers, but wants no new connections."""
        return self._draining

    def drain(self) -> None:
        """Go away."""
        self._draining = True
        self._tell()

    def next_change(self) -> asyncio.Event:
        """Return what is set at the next change."""
        return self._change

    def not_ready(self) -> str:
        """Say why there is no prediction."""
        return f"the model is not ready: {self.reason or 'starting'}"

    def why_not(self) -> str | None:
        """Return the reason not to route requests here, or None."""
        if self.draining:
            return "draining: this pod is shutting down"
        return self.reason

    def _tell(self) -> None:
        self._change.set()
        self._change = asyncio.Event()
