"""How much of a thing a test does: enough to notice, or (EVERMODEL_SOAK=1) as much as is promised."""

from __future__ import annotations

import os
from typing import Final

IS_SOAK: Final = os.environ.get("EVERMODEL_SOAK", "") not in {"", "0"}


def count(usual: int, *, soak: int) -> int:
    """Return the usual number, or the long one."""
    return soak if IS_SOAK else usual
