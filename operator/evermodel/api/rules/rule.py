"""One rule, and those that several parts share: bounds, durations, schedules, containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evermodel.api.fields import CRON


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What must hold (CEL over ``self``), and what to do when it does not."""

    rule: str
    message: str
    field_path: str = ""
    """Where the error is shown, below the value that the rule is about."""
    instead_of: frozenset[str] = field(default_factory=frozenset)
    """Schema keywords that say the same in worse words; they are left out where the rule stands."""

    def validation(self) -> dict[str, Any]:
        """Return the rule as an entry of x-kubernetes-validations."""
        shown = {"rule": self.rule, "message": self.message}
        return shown | {"fieldPath": self.field_path} if self.field_path else shown


IS_SCHEDULE = Rule(
    rule=f"self.matches('{CRON}')",
    message="is no schedule: write minute, hour, day, month and day of the week as cron does: 0 3 * * mon",
    instead_of=frozenset({"pattern"}),
)
_DURATION = "self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')"
IS_DURATION = Rule(
    rule=_DURATION,
    message="is not a duration: write 30s, 15m or 1h30m",
    instead_of=frozenset({"pattern"}),
)
AT_LEAST_A_SECOND = (
    IS_DURATION,
    Rule(rule=f"!{_DURATION} || duration(self) >= duration('1s')", message="is too short: write 1s or more"),
)
IS_WINDOW = (
    IS_DURATION,
    Rule(
        rule=f"!{_DURATION} || (duration(self) >= duration('1m') && duration(self) <= duration('336h'))",
        message="must be from 1m to 336h, which are two weeks",
    ),
)
CONTAINER_RULES = (
    Rule(
        rule="has(self.image) || (has(self.command) && self.command.size() > 0)",
        message="the runtime image does nothing of yours by itself: write the command to run, or name an image",
        field_path=".command",
    ),
)
BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})


def fraction_rules(schema: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return a number's bounds as a rule when one of them is a fraction.

    The API server cuts the keywords' bounds to whole numbers when the value is written as one: it takes 0 for a
    minimum of 0.05 and refuses 0 for a maximum of 0.5.
    """
    lower, upper = schema.get("minimum"), schema.get("maximum")
    if all(bound is None or float(bound).is_integer() for bound in (lower, upper)):
        return ()
    limits = []
    if lower is not None:
        limits.append((">", "above", lower) if schema.get("exclusiveMinimum") else (">=", "at least", lower))
    if upper is not None:
        limits.append(("<", "below", upper) if schema.get("exclusiveMaximum") else ("<=", "at most", upper))
    return (
        Rule(
            rule=" && ".join(f"self {sign} {float(bound)}" for sign, _, bound in limits),
            message="must be " + " and ".join(f"{words} {bound:g}" for _, words, bound in limits),
            instead_of=BOUNDS,
        ),
    )
