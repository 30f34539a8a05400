"""Durations as Kubernetes writes them."""

from __future__ import annotations

import re
from datetime import timedelta

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> timedelta:
    """Read a duration such as 30s, 15m or 1h30m.

    Raises
    ------
    ValueError
        When the text is no such duration; the schema refuses these at admission.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration: write 30s, 15m or 1h30m.")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
