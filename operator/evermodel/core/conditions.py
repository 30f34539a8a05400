"""The only setter of conditions: their order, their times, and how they come and go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType
from evermodel.core.timestamps import rfc3339

LONGEST_MESSAGE = 1024
"""Characters of a condition's message that are kept: a traceback belongs into a log."""
_ORDER = {kind: place for place, kind in enumerate(ConditionType)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A condition as it should read."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """Return the condition of a type."""
    return next((condition for condition in conditions if condition.type is kind), None)


def set_conditions(
    known: tuple[Condition, ...], wanted: Iterable[Wanted], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return the conditions as wanted, those that nobody wants left out.

    ``last_transition_time`` moves only when the status of a condition does.
    """
    made = [_set(find(known, condition.type), condition, generation, now) for condition in wanted]
    return tuple(sorted(made, key=lambda condition: _ORDER[condition.type]))


def shortened(message: str, longest: int = LONGEST_MESSAGE) -> str:
    """Cut a message to a length that people read."""
    return message if len(message) <= longest else message[: longest - 1] + "…"


def _set(known: Condition | None, wanted: Wanted, generation: int, now: datetime) -> Condition:
    unmoved = known is not None and known.status is wanted.status
    return Condition(
        type=wanted.type,
        status=wanted.status,
        reason=wanted.reason,
        message=shortened(wanted.message),
        last_transition_time=known.last_transition_time if known is not None and unmoved else rfc3339(now),
        observed_generation=generation,
    )
