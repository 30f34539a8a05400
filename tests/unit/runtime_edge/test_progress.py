"""How often the hub is asked what a Job is doing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.unit.runtime_edge.test_quality import Hub

from evermodel.core.observed import ModelKey
from evermodel.metrics.provider import ProviderUnavailable, Stage
from evermodel.runtime.progress import ProgressCache

KEY = ModelKey(namespace="team", name="digits")
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class Told(Hub):
    """Has been told of a Job."""

    async def progress(self, _key: ModelKey, version: int, stage: Stage) -> str:
        self.asked += 1
        if not self.is_up:
            raise ProviderUnavailable("the hub does not answer")
        return f"{stage} of {version}: {self.asked}"


async def read(cache: ProgressCache, seconds: float) -> str:
    now = START + timedelta(seconds=seconds)
    return await cache.read(KEY, 2, "train", interval=timedelta(seconds=30), now=now)


async def test_a_short_run_is_not_asked_about_and_a_long_one_once_in_an_interval() -> None:
    hub = Told()
    cache = ProgressCache(hub)

    said = [await read(cache, seconds) for seconds in (0, 10, 29, 30, 45, 59, 60)]

    assert said == ["", "", "", *["train of 2: 1"] * 3, "train of 2: 2"]
    assert hub.asked == 2


async def test_another_run_is_another_question() -> None:
    hub = Told()
    cache = ProgressCache(hub)
    await read(cache, 0)
    await read(cache, 30)
    cache.forget(KEY)

    assert await read(cache, 31) == ""


async def test_a_hub_that_does_not_answer_is_no_failure() -> None:
    hub = Told()
    hub.is_up = False
    cache = ProgressCache(hub)
    await read(cache, 0)

    assert await read(cache, 30) == ""
    hub.is_up = True
    assert await read(cache, 60) == "train of 2: 2"
