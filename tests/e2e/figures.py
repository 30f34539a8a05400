"""Figures that tests measure and do not judge: shown at the end of a run."""

from __future__ import annotations

from collections.abc import Callable

Figure = Callable[[str, float], None]
"""Takes what was measured, and its value."""
