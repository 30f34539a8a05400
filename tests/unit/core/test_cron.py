"""When a schedule is due: cron's own rules, and what holds for every schedule."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evermodel.api.fields import CRON
from evermodel.core.cron import Schedule, parse_schedule

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        pytest.param("0 3 * * *", "2030-01-01T02:59:59", "2030-01-01T03:00", id="later today"),
        pytest.param("0 3 * * *", "2030-01-01T03:00:00", "2030-01-02T03:00", id="due now is not later than now"),
        pytest.param("*/15 * * * *", "2030-01-01T10:44:01", "2030-01-01T10:45", id="every quarter of an hour"),
        pytest.param("5/20 * * * *", "2030-01-01T10:30:00", "2030-01-01T10:45", id="a step from a value on"),
        pytest.param("30 22-6/4 * * *", "2030-01-01T22:31:00", "2030-01-02T02:30", id="a range around midnight"),
        pytest.param("0 0 * * mon", "2030-01-01T00:00:00", "2030-01-07T00:00", id="a weekday"),
        pytest.param("0 0 * * 7", "2030-01-01T00:00:00", "2030-01-06T00:00", id="7 is Sunday"),
        pytest.param("0 0 * * fri-mon", "2030-01-01T00:00:00", "2030-01-04T00:00", id="weekdays around Sunday"),
        pytest.param("0 0 13 * fri", "2030-01-01T00:00:00", "2030-01-04T00:00", id="either day, where both are given"),
        pytest.param("0 0 */2 * fri", "2030-01-01T00:00:00", "2030-01-11T00:00", id="a step of all is no restriction"),
        pytest.param("0 0 31 * *", "2030-01-31T00:00:00", "2030-03-31T00:00", id="only months that have the day"),
        pytest.param("0 0 29 feb *", "2030-01-01T00:00:00", "2032-02-29T00:00", id="a leap day"),
        pytest.param("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00", id="a leap day eight years on"),
        pytest.param("0 0 31 feb *", "2030-01-01T00:00:00", None, id="never"),
        pytest.param("59 23 31 12 *", "2030-12-31T23:59:00", "2031-12-31T23:59", id="the last minute of the year"),
    ],
)
def test_is_due(text: str, after: str, due: str | None) -> None:
    found = parse_schedule(text).next_after(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == (None if due is None else datetime.fromisoformat(due).replace(tzinfo=UTC))


def test_is_of_utc_wherever_the_question_comes_from() -> None:
    there = NEW_YEAR.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert parse_schedule("0 3 * * *").next_after(there) == NEW_YEAR.replace(hour=3)


@pytest.mark.parametrize(
    "text",
    ["", "0 3 * *", "0 3 * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
     "a * * * *", "* * * mon *", "-5 * * * *", "1,,2 * * * *", "@daily", "*/-1 * * * *", "1- * * * *"],
)  # fmt: skip
def test_is_no_schedule(text: str) -> None:
    assert re.match(CRON, text) is None
    with pytest.raises(ValueError, match=r"fields|is none of"):
        parse_schedule(text)


schedules = st.from_regex(re.compile(CRON, re.ASCII), fullmatch=True)
moments = st.integers(0, 10 * 366 * 86_400).map(lambda seconds: NEW_YEAR + timedelta(seconds=seconds))


@given(schedules, moments)
def test_whatever_the_api_server_admits_is_read_and_is_due_later_at_a_time_that_fits(text: str, now: datetime) -> None:
    schedule = parse_schedule(text)
    due = schedule.next_after(now)
    if due is None:
        assert schedule.by_day
        return
    assert due > now
    assert fits(schedule, due)


@given(schedules, moments)
def test_nothing_is_due_in_between(text: str, now: datetime) -> None:
    schedule = parse_schedule(text)
    due = schedule.next_after(now)
    minute = now.replace(second=0, microsecond=0)
    for _ in range(3000):
        minute += timedelta(minutes=1)
        assert fits(schedule, minute) == (minute == due)
        if minute == due:
            return


def fits(schedule: Schedule, moment: datetime) -> bool:
    by_day, by_weekday = moment.day in schedule.days, (moment.weekday() + 1) % 7 in schedule.weekdays
    both = schedule.by_day and schedule.by_weekday
    return (
        moment.minute in schedule.minutes
        and moment.hour in schedule.hours
        and moment.month in schedule.months
        and ((by_day or by_weekday) if both else (by_day and by_weekday))
    )
