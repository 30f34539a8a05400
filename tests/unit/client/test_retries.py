"""When the client asks again: pauses grow, are shortened at random, respect Retry-After, and end."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evermodel_client import RefusedError, Retry, UnavailableError
from evermodel_client.retries import Attempts, retry_after

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Clock:
    """Stands still unless it is told to go."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def attempts(clock: Clock | None = None, chance: float = 1.0, **bounds: float) -> Attempts:
    return Attempts(retry=Retry(**bounds), clock=clock or Clock(), chance=lambda: chance)  # type: ignore[arg-type]


def response(status: int, body: bytes = b'{"error": "too many labels"}', **headers: str) -> httpx.Response:
    return httpx.Response(
        status, content=body, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def test_pauses_double_up_to_the_longest() -> None:
    tries = attempts(first_pause=1, longest_pause=5, seconds=1e9)

    assert [tries.lost(httpx.ConnectError("refused")) for _ in range(5)] == [1, 2, 4, 5, 5]


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1), wanted=st.none() | st.floats(0, 1e6))
def test_a_pause_is_bounded_and_never_shorter_than_the_server_asks_for(
    failures: int, chance: float, wanted: float | None
) -> None:
    retry = Retry(first_pause=0.5, longest_pause=8)
    pause = retry.pause(failures, chance, wanted)

    assert 0.25 <= pause <= 8 if wanted is None else wanted <= pause <= wanted + 4
    assert pause <= retry.pause(failures, 1.0, wanted)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504, 507])
def test_what_may_pass_is_asked_again_when_the_server_says(status: int) -> None:
    assert attempts(chance=0.0).refused(response(status, retry_after="7")) == 7


@pytest.mark.parametrize("status", [301, 400, 404, 413, 415, 422, 500])
def test_what_will_not_pass_is_told_at_once(status: int) -> None:
    with pytest.raises(RefusedError, match=rf"too many labels \(status {status}\)") as refused:
        attempts().refused(response(status))

    assert refused.value.status == status


def test_a_proxys_words_are_not_taken_for_ours() -> None:
    with pytest.raises(RefusedError, match=r"Not Found \(status 404\)"):
        attempts().refused(response(404, b"<html>"))


def test_the_last_failure_ends_it_and_is_named() -> None:
    tries = attempts(attempts=2)
    tries.refused(response(429))

    with pytest.raises(UnavailableError, match="given up after 2 attempts: connection refused"):
        tries.lost(httpx.ConnectError("connection refused"))


def test_no_attempt_begins_after_the_time_that_a_request_may_take() -> None:
    clock = Clock()
    tries = attempts(clock, seconds=60)
    assert tries.refused(response(503, retry_after="30")) >= 30
    clock.seconds += 31

    with pytest.raises(UnavailableError, match=r"given up after 2 attempts: too many labels \(status 503\)"):
        tries.refused(response(503, retry_after="30"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("2", 2.0, id="seconds"),
        pytest.param("0", 0.0, id="at once"),
        pytest.param("Mon, 30 Nov 2026 12:00:09 GMT", 9.0, id="a date"),
        pytest.param("Mon, 30 Nov 2026 11:00:00 GMT", 0.0, id="a date that is over"),
        pytest.param("", None, id="none"),
        pytest.param("soon", None, id="no sense"),
        pytest.param("-3", None, id="a negative number"),
        pytest.param("9" * 400, 999_999_999.0, id="for ever"),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds
