"""How often the hub is asked, and what is made of its silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evermodel.contract import LineageEntry, Quality, QualityQuery, RunReport
from evermodel.core.observed import ModelKey
from evermodel.metrics.provider import ProviderUnavailable, Stage
from evermodel.runtime.quality import Answer, QualityCache

KEY = ModelKey(namespace="team", name="digits")
QUERY = QualityQuery(version=1, threshold=0.9, tolerance=0.01, false_alarm_every=1e5, window=1000)
QUALITY = Quality(
    version=1, as_of=0.0, predictions=0, labels=0, window=None, coverage=None, alarm=None, last_seq=0, records=0,
    records_counted=0,
)  # fmt: skip
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)


class Hub:
    """Answers while it is up, and counts the questions."""

    def __init__(self) -> None:
        self.is_up = True
        self.asked = 0

    async def quality(self, _key: ModelKey, _query: QualityQuery) -> Quality:
        self.asked += 1
        if not self.is_up:
            raise ProviderUnavailable("the hub does not answer")
        return QUALITY

    async def report(self, key: ModelKey, version: int, stage: Stage) -> RunReport | None:
        raise AssertionError((key, version, stage))

    async def progress(self, key: ModelKey, version: int, stage: Stage) -> str:
        raise AssertionError((key, version, stage))

    async def lineage(self, key: ModelKey) -> tuple[LineageEntry, ...]:
        raise AssertionError(key)

    async def dataset(self, key: ModelKey, name: str) -> str | None:
        raise AssertionError((key, name))

    async def record_lineage(self, key: ModelKey, entry: LineageEntry) -> None:
        raise AssertionError((key, entry))


async def read(cache: QualityCache, seconds: float, query: QualityQuery = QUERY) -> Answer:
    return await cache.read(KEY, query, interval=INTERVAL, now=START + timedelta(seconds=seconds))


async def test_an_answer_serves_for_the_declared_interval() -> None:
    hub = Hub()
    cache = QualityCache(hub)
    for seconds in (0, 1, 29, 30, 31):
        assert (await read(cache, seconds)).quality == QUALITY
    assert hub.asked == 2


async def test_another_question_is_asked_at_once() -> None:
    hub = Hub()
    cache = QualityCache(hub)
    await read(cache, 0)
    await read(cache, 1, QualityQuery(version=2, threshold=0.9, tolerance=0.01, false_alarm_every=1e5, window=1000))
    assert hub.asked == 2


async def test_one_lost_answer_is_not_worth_a_word_and_a_second_is() -> None:
    hub = Hub()
    cache = QualityCache(hub)
    await read(cache, 0)
    hub.is_up = False
    lost = await read(cache, 30)
    assert (lost.quality, lost.error) == (QUALITY, "")
    silent = await read(cache, 35)
    assert (silent.quality, silent.error) == (None, "the hub does not answer")
    hub.is_up = True
    assert (await read(cache, 40)).quality == QUALITY
    hub.is_up = False
    assert (await read(cache, 70)).error == ""


async def test_a_hub_that_never_answered_is_told_at_once() -> None:
    hub = Hub()
    hub.is_up = False
    assert (await read(QualityCache(hub), 0)).error == "the hub does not answer"
