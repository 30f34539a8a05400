"""What one phase adds to a plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evermodel.core.actions import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Actions, and when to look again should nothing happen until then."""

    actions: tuple[Action, ...] = ()
    due: datetime | None = None


NOTHING = Step()
