"""Whether this pod should get requests, and if not, why, in words."""

from dataclasses import dataclass


@dataclass(slots=True)
class Readiness:
    """State of one pod, changed by the loader and by the signal to stop."""

    reason: str | None = "starting: the artifact is not loaded yet"
    """Why the model cannot answer; None when it can."""
    draining: bool = False
    """The pod is going away: it still answers, but wants no new connections."""

    def not_ready(self) -> str:
        """Say why there is no prediction."""
        return f"the model is not ready: {self.reason or 'starting'}"

    def why_not(self) -> str | None:
        """Return the reason not to route requests here, or None."""
        if self.draining:
            return "draining: this pod is shutting down"
        return self.reason
