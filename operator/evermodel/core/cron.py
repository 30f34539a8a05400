"""When a schedule in cron's five fields is due: minute, hour, day of the month, month, day of the week, in UTC.

As cron has it, a day counts when the day of the month or of the week fits, where both are restricted. A range that ends
before it begins goes round: ``fri-mon`` is four days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
YEARS_AHEAD = 8
"""The 29th of February may be this far away."""
LONGEST_STEP = 99
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The values of each field that fit, and whether a day is restricted at all."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    by_day: bool
    by_weekday: bool

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time later than a moment at which the schedule is due; None when there is none."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        while day.year <= start.year + YEARS_AHEAD:
            if self._fits(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        found = day.replace(hour=hour, minute=minute)
                        if found >= start:
                            return found
            day += _DAY
        return None

    def _fits(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.by_day and self.by_weekday else of_month and of_week


@lru_cache(1024)
def parse_schedule(text: str) -> Schedule:
    """Read five fields.

    Raises
    ------
    ValueError
        When they are none; the text says which field.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"{text!r} has {len(fields)} fields: write minute, hour, day, month and day of the week")
    minutes, hours, days, months, weekdays = (
        _values(field, lowest, highest, names, text)
        for field, (lowest, highest, names) in zip(fields, _FIELDS, strict=True)
    )
    return Schedule(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(day % 7 for day in weekdays),
        by_day=not fields[2].startswith("*"),
        by_weekday=not fields[4].startswith("*"),
    )


_FIELDS: Sequence[tuple[int, int, Mapping[str, int]]] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: place for place, name in enumerate(MONTHS, start=1)}),
    (0, 7, {name: place for place, name in enumerate(WEEKDAYS)}),
)


def _values(field: str, lowest: int, highest: int, names: Mapping[str, int], text: str) -> set[int]:
    values: set[int] = set()
    for item in field.split(","):
        span, slash, step = item.partition("/")
        first, dash, last = span.partition("-")
        try:
            begin = lowest if span == "*" else _value(first, lowest, highest, names)
            end = _value(last, lowest, highest, names) if dash else (highest if span == "*" or slash else begin)
            every = _bounded(int(step), 1, LONGEST_STEP) if slash else 1
        except ValueError as error:
            raise ValueError(f"{text!r}: {item!r} is none of {lowest} to {highest}") from error
        whole = range(begin, end + 1) if begin <= end else (*range(begin, highest + 1), *range(lowest, end + 1))
        values.update(whole[::every])
    return values


def _value(text: str, lowest: int, highest: int, names: Mapping[str, int]) -> int:
    return _bounded(names[text] if text in names else int(text), lowest, highest)


def _bounded(value: int, lowest: int, highest: int) -> int:
    if not lowest <= value <= highest:
        raise ValueError(f"{value} is not between {lowest} and {highest}")
    return value
